"""A regression with scaled inputs and targets."""

from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

seed = 0
X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=seed)
network = MLPRegressor(hidden_layer_sizes=(10,), alpha=1.0, max_iter=300, random_state=seed)
model = TransformedTargetRegressor(
    make_pipeline(StandardScaler(), network), transformer=StandardScaler()
)
model.fit(X_train, y_train)
score = r2_score(y_test, model.predict(X_test))
print(score)

"""A regression with several outputs."""

from sklearn.datasets import make_regression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

seed = 0
X, y = make_regression(500, 10, n_informative=6, n_targets=3, noise=10, random_state=seed)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=seed)
scaler = StandardScaler().fit(y_train)
model = MLPRegressor(hidden_layer_sizes=(50, 50), activation="tanh", alpha=0.01, random_state=seed)
model.fit(X_train, scaler.transform(y_train))
score = model.score(X_test, scaler.transform(y_test))
print(score)

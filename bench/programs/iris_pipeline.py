"""A pipeline: scaled inputs, then the network."""

from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

seed = 0
X, y = load_iris(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=seed)
model = make_pipeline(StandardScaler(), MLPClassifier((20,), max_iter=1000, random_state=seed))
model.fit(X_train, y_train)
score = model.score(X_test, y_test)
print(score)

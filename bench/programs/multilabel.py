"""Several labels per sample."""

from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

seed = 0
X, y = make_multilabel_classification(1000, n_features=20, n_classes=5, random_state=seed)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=seed)
model = MLPClassifier((50,), alpha=0.1, random_state=seed)
model.fit(X_train, y_train)
score = f1_score(y_test, model.predict(X_test), average="micro")
print(score)

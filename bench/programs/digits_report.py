"""Digits, and a report of each class."""

from sklearn.datasets import load_digits
from sklearn.metrics import classification_report, f1_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

seed = 0
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.3, random_state=seed)
model = MLPClassifier(hidden_layer_sizes=(64,), alpha=1e-3, max_iter=100, random_state=seed)
predicted = model.fit(X_train, y_train).predict(X_test)
print(classification_report(y_test, predicted))
score = f1_score(y_test, predicted, average="macro")
print(score)

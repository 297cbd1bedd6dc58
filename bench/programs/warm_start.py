"""Epoch by epoch in a loop of one's own, with warm_start."""

import warnings

from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

seed = 0
X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=seed)
scaler = StandardScaler().fit(X_train)
model = MLPClassifier((16,), batch_size=32, max_iter=1, warm_start=True, random_state=seed)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    for _ in range(30):
        model.fit(scaler.transform(X_train), y_train)
score = model.score(scaler.transform(X_test), y_test)
print(score)

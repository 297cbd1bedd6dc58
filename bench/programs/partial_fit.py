"""Data that come in parts."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

seed = 0
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=seed)
model = MLPClassifier((50,), learning_rate_init=0.005, batch_size=50, random_state=seed)
for epoch in range(15):
    for part in np.array_split(np.arange(len(X_train)), 5):
        model.partial_fit(X_train[part], y_train[part], classes=np.unique(y))
    print(epoch, model.loss_)
score = model.score(X_test, y_test)
print(score)

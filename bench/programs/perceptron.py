"""A perceptron, on classes that a line can separate and one that it cannot."""

from sklearn.datasets import load_iris
from sklearn.linear_model import Perceptron
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

seed = 0
X, y = load_iris(return_X_y=True)
folds = StratifiedKFold(10, shuffle=True, random_state=seed)
model = make_pipeline(StandardScaler(), Perceptron(max_iter=100, shuffle=True, random_state=seed))
score = cross_val_score(model, X, y, cv=folds).mean()
print(score)

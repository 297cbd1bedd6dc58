"""L-BFGS, for a small table."""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

seed = 0
X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=seed)
network = MLPClassifier((5, 2), solver="lbfgs", alpha=1.0, max_iter=500, random_state=seed)
model = make_pipeline(StandardScaler(), network).fit(X_train, y_train)
score = model.score(X_test, y_test)
print(score)

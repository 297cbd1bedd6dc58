"""Cross-validation with gradient descent, momentum and a falling learning rate."""

from sklearn.datasets import load_wine
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

seed = 0
X, y = load_wine(return_X_y=True)
network = MLPClassifier(
    (30,),
    activation="tanh",
    solver="sgd",
    learning_rate="adaptive",
    learning_rate_init=0.05,
    momentum=0.9,
    batch_size=16,
    random_state=seed,
)
folds = StratifiedKFold(5, shuffle=True, random_state=seed)
scores = cross_val_score(make_pipeline(StandardScaler(), network), X, y, cv=folds)
score = scores.mean()
print(score)

"""A grid search over units, activation and penalty."""

from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

seed = 0
X, y = load_wine(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=seed)
network = MLPClassifier(solver="adam", learning_rate_init=0.01, max_iter=100, random_state=seed)
grid = {
    "network__hidden_layer_sizes": [(10,), (30, 10)],
    "network__activation": ["logistic", "relu"],
    "network__alpha": [1e-4, 1e-1],
}
search = GridSearchCV(Pipeline([("scaler", StandardScaler()), ("network", network)]), grid, cv=3)
search.fit(X_train, y_train)
print(search.best_params_)
score = search.score(X_test, y_test)
print(score)

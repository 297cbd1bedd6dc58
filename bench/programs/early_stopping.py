"""Early stopping, and what is known of it afterwards."""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

seed = 0
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=seed)
model = MLPClassifier(
    hidden_layer_sizes=(100, 50),
    early_stopping=True,
    validation_fraction=0.15,
    n_iter_no_change=10,
    random_state=seed,
)
model.fit(X_train, y_train)
print(model.n_iter_, model.best_validation_score_, len(model.validation_scores_))
score = model.score(X_test, y_test)
print(score)

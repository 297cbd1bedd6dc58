"""A rare class: weights of samples, probabilities, the area under the ROC curve."""

from sklearn.datasets import make_classification
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.utils.class_weight import compute_sample_weight

seed = 0
X, y = make_classification(2000, n_informative=6, weights=[0.95], random_state=seed)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=seed)
model = MLPClassifier((20,), alpha=0.1, max_iter=100, random_state=seed)
model.fit(X_train, y_train, sample_weight=compute_sample_weight("balanced", y_train))
score = roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])
print(score)

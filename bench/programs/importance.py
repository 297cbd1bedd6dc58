"""How much each feature counts, by permutation."""

from sklearn.datasets import load_wine
from sklearn.inspection import permutation_importance
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

seed = 0
data = load_wine()
network = MLPClassifier((30,), learning_rate_init=0.01, max_iter=100, random_state=seed)
model = make_pipeline(StandardScaler(), network).fit(data.data, data.target)
found = permutation_importance(model, data.data, data.target, n_repeats=10, random_state=seed)
for at in found.importances_mean.argsort()[:-4:-1]:
    print(data.feature_names[at], found.importances_mean[at])
score = found.importances_mean.max()
print(score)

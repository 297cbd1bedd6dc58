"""Texts of twenty kinds as sparse rows: 20,000 words, of which a text has a hundred."""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline

seed = 0
rng = np.random.default_rng(seed)
words = np.array([f"word{i}" for i in range(20_000)])
frequency = 1 / np.arange(1, len(words) + 1)  # Zipf's law
texts, kinds = [], np.repeat(np.arange(20), 75)
for _ in range(20):
    of_kind = frequency * np.where(rng.random(len(words)) < 0.01, 20, 1)
    chosen = rng.choice(words, size=(75, 100), p=of_kind / of_kind.sum())
    texts += [" ".join(text) for text in chosen]
texts_train, texts_test, y_train, y_test = train_test_split(texts, kinds, random_state=seed)
network = MLPClassifier(
    (20,), learning_rate_init=0.01, batch_size=50, max_iter=6, random_state=seed
)
model = make_pipeline(TfidfVectorizer(vocabulary=words), network).fit(texts_train, y_train)
score = model.score(texts_test, y_test)
print(score)

"""System 1: a perceptron learns a single sample (1.2.5).

y = sign(w x) (1.1), and after a mistake w += lr (t - y) x (1.2).
"""

import fastnn


def run(lesson):
    x, t = [1, 0, -1], 1  # x[0] = 1 is the input of the bias
    w = [-5, 0, 0]
    model = fastnn.Perceptron(eta0=1, fit_intercept=False, max_iter=100, record_history=True)
    model.fit([x], [t], coef_init=[w])
    for weights in [w, *model.history_[:, 0]]:
        lesson.print(*(int(weight) for weight in weights))
    lesson.print("done")

"""Three stopping rules (1.2.7): a small loss, a small change of weights, a number of epochs."""

import fastnn
from fastnn import plotting

RULES = {
    "loss below 0.01": {"loss_threshold": 0.01},
    "weights change by less than 1e-4": {"weight_threshold": 1e-4},
    "at most 20,000 epochs": {"max_iter": 20_000},
}


def run(lesson):
    X, y = fastnn.load_xor()
    most = lesson.epochs(200_000, 30_000)
    with lesson.figure("rules") as axes:
        for name, rule in RULES.items():
            model = fastnn.MLPClassifier(
                (10,),
                "sigmoid",
                loss="half_squared_error",
                solver="sgd",
                momentum=0,
                learning_rate_init=0.1,
                batch_size="full",
                weight_init="uniform",
                random_state=lesson.seed,
                **{"max_iter": most, "tol": None, **rule},
            )
            model.fit(X, y)
            lesson.print(
                f"{name:<33} stopped after {model.n_iter_} epochs ({model.stop_reason_}), "
                f"loss {model.loss_:.6f}"
            )
            plotting.losses(axes, model.loss_curve_)
            axes.plot(model.n_iter_, model.loss_, "o", color=axes.lines[-1].get_color(), label=name)
        axes.legend(loc="lower left")

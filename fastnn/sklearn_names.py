"""scikit-learn's names beside ours: what is the same, what differs, and why.

The docstrings of the estimators and docs/from-scikit-learn.md have their tables from here:
`python -m fastnn.sklearn_names docs/from-scikit-learn.md` writes the page's anew.
"""

import re
import textwrap
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

SAME, DIFFERENT, ABSENT = "same", "different", "absent"


class Name(NamedTuple):
    """A parameter, a method or an attribute of a scikit-learn class.

    Attributes
    ----------
    verdict : {"same", "different", "absent"}
    what : str
        How it is here and, if that is not said, there; of a name that is the same, what it can do
        beside.
    why : str
        Not of names that are the same.
    """

    name: str
    verdict: str = SAME
    what: str = ""
    why: str = ""


def _same(names: str) -> tuple[Name, ...]:
    return tuple(Name(name) for name in names.split())


_NETWORK = (
    Name("activation", SAME, "more names; a sequence has one for each layer"),
    Name("solver", SAME, "more names"),
    Name(
        "alpha",
        DIFFERENT,
        "default 0; there 1e-4. The formula is the same",
        "no penalty that nobody asked for",
    ),
    Name(
        "batch_size",
        DIFFERENT,
        'default 32; there "auto", min(200, n_samples). One above n_samples is cut without a '
        "warning",
        "up to six times the steps in as many epochs: measured in docs/from-scikit-learn.md",
    ),
    Name(
        "learning_rate",
        DIFFERENT,
        'counts for every solver but "lbfgs"; there for "sgd" only. More schedules',
        "a schedule that was asked for is followed",
    ),
    *_same("learning_rate_init power_t"),
    Name("max_iter", SAME, "0 sets the initial weights only"),
    *_same("shuffle"),
    Name(
        "random_state",
        DIFFERENT,
        "other random numbers; the shuffles of a warm start go on, where an integer begins them "
        "anew there",
        "all back ends draw the same, on any number of threads; two short fits are a long one",
    ),
    Name(
        "tol",
        SAME,
        "None: the rule is off, and so is ConvergenceWarning, as it is in a fit with callbacks",
    ),
    Name(
        "verbose",
        DIFFERENT,
        "default True: a progress bar, on a terminal only; 2 prints a line per epoch, which True "
        "does there",
        "to see how long it takes, without a thousand lines",
    ),
    Name(
        "warm_start",
        DIFFERENT,
        "y may have some of the known classes only; other hidden_layer_sizes, which count for "
        "nothing there, or another kind of solver are refused; the solver's moments go on, there "
        "they begin anew",
        "two short fits are a long one",
    ),
    *_same("momentum nesterovs_momentum"),
    Name(
        "early_stopping",
        DIFFERENT,
        "the solver's state goes back to the best epoch with the weights; held-out samples have "
        "every class's share, there of two classes only",
        "a training that goes on does so from that epoch",
    ),
    *_same("validation_fraction beta_1 beta_2 epsilon n_iter_no_change max_fun"),
    # Methods
    Name(
        "fit",
        DIFFERENT,
        "what diverges warns, with stop_reason_ 'diverged'; there ValueError. Ctrl-C in a search "
        "ends the search, there one fit of it. Weights of samples below 0 are refused, samples of "
        "weight 0 are as good as absent. Takes callbacks, validation_data, coefs_init, "
        "intercepts_init and, for several processes, communicator and n_shards as well",
        "whatever ends a fit, the model is what its complete epochs made it",
    ),
    *_same("partial_fit"),
    Name("score", DIFFERENT, "takes a communicator as well", "samples may lie on several machines"),
    *_same("get_params set_params get_metadata_routing"),
    Name("set_fit_request", DIFFERENT, "for the other arguments of fit as well", "as fit"),
    Name("set_score_request", DIFFERENT, "for the communicator as well", "as score"),
    *_same("set_partial_fit_request"),
    # Attributes
    Name(
        "loss_",
        DIFFERENT,
        "without the penalty. With several outputs of a regression their sum, there their mean, so "
        "that tol ends a fit later. "
        '"poisson" is without the terms of y alone; with sample_weight each batch counts by its '
        "weight, there by its size",
        "the same measure as that of validation_data and evaluate; what the steps descend",
    ),
    Name(
        "best_loss_", DIFFERENT, 'as loss_; "lbfgs" has it too', "all solvers have the same names"
    ),
    Name(
        "loss_curve_",
        DIFFERENT,
        'an array, there a list; as loss_; "lbfgs" has it too',
        "to calculate with",
    ),
    *_same("validation_scores_ best_validation_score_"),
    Name(
        "t_",
        DIFFERENT,
        'counts with "lbfgs" too, where it is 0 there',
        "samples seen, whoever asks",
    ),
    Name(
        "coefs_",
        DIFFERENT,
        "views of one vector, `params_`, which what is assigned goes into. They begin within the "
        'same bound for every activation, there within a smaller one for "logistic"',
        "the kernels work on the vector; the bound is Glorot & Bengio's (2010, equation 16)",
    ),
    Name(
        "intercepts_",
        DIFFERENT,
        "as coefs_; they begin with bias_init, 0, and there at random",
        "as in Glorot & Bengio 2010, section 2.3, and in Keras",
    ),
    *_same("n_features_in_ feature_names_in_ n_iter_ n_layers_ n_outputs_"),
    Name(
        "out_activation_",
        DIFFERENT,
        '"sigmoid" and "exponential", there "logistic" and "exp"; "identity" and "softmax" are '
        "the same",
        "one name for each formula; activation takes 'logistic' too",
    ),
)

MLP_CLASSIFIER = (
    *_same("hidden_layer_sizes"),
    *_NETWORK,
    *_same("predict classes_"),
    Name(
        "predict_proba",
        DIFFERENT,
        "one column if the training samples had one class; there two",
        "a column per class",
    ),
    Name("predict_log_proba", DIFFERENT, "as predict_proba", "as predict_proba"),
    Name(
        "loss",
        DIFFERENT,
        'a parameter, "auto" being the cross-entropy; there an attribute, always "log_loss"',
        "there are other losses",
    ),
)

MLP_REGRESSOR = (
    Name(
        "loss",
        DIFFERENT,
        '"auto" is "squared_error", which is the default there; takes a name only, where it is the '
        "first of the arguments there (from 1.7 on). More losses",
        "as MLPClassifier; a loss that comes first is refused",
    ),
    Name(
        "hidden_layer_sizes",
        DIFFERENT,
        "the first of the arguments, there the second (from 1.7 on)",
        "as MLPClassifier",
    ),
    *_NETWORK,
    Name(
        "predict",
        DIFFERENT,
        "(n, 1) if y was of that shape; there (n,)",
        "the shape that y had",
    ),
)

PERCEPTRON = (
    Name(
        "penalty",
        DIFFERENT,
        "None only, else ValueError",
        "weights would shrink without a mistake, against (1.2); `SGDClassifier` has penalties",
    ),
    Name("alpha", SAME, "without effect, as there without a penalty"),
    Name("l1_ratio", SAME, "without effect, as there without a penalty"),
    *_same("fit_intercept"),
    Name(
        "max_iter",
        DIFFERENT,
        "no warning if it is reached",
        "classes that no line separates have no end: see converged_, stop_reason_",
    ),
    Name(
        "tol",
        DIFFERENT,
        "default None; there 0.001. The first epoch without a mistake ends a fit",
        "(1.2.7)",
    ),
    Name("shuffle", DIFFERENT, "default False; there True", "the course's order"),
    Name(
        "verbose",
        DIFFERENT,
        "default True, a bar on a terminal; 2 or more prints lines; there 0",
        "as for our networks",
    ),
    Name(
        "eta0",
        DIFFERENT,
        "an update is twice as large: t - y is 2 or -2 for a wrong sign, 1 or -1 where z = 0",
        "(1.2); with eta0 / 2 all is the same but for z = 0",
    ),
    Name("n_jobs", DIFFERENT, "no effect", "all outputs learn in one pass"),
    Name(
        "random_state", DIFFERENT, "default None; there 0", "other random numbers, as MLPClassifier"
    ),
    Name(
        "early_stopping",
        DIFFERENT,
        "tol=None is 0.001, there it is never; one accuracy for all classes",
        "to hold samples out and never to look would be in vain",
    ),
    *_same("validation_fraction n_iter_no_change"),
    Name(
        "class_weight",
        DIFFERENT,
        'of a sample in all outputs; there, with 3 classes, in that of its class. "balanced" '
        "counts sample_weight",
        "as sample_weight, the same for two classes; a weight of 2 is two samples",
    ),
    Name(
        "warm_start",
        DIFFERENT,
        "labels among `classes_`; shuffles and `dtype` go on",
        "two short fits are a long one",
    ),
    # Methods
    Name(
        "fit",
        DIFFERENT,
        "labels in {-1, 1} need not show both. What diverges warns, and is kept. Weights of "
        "samples are 0 or above, and those of 0 are as good as absent",
        "the course's system 1 has one sample; stop_reason_ says so; what counts for nothing "
        "changes nothing",
    ),
    Name(
        "partial_fit",
        DIFFERENT,
        'always refuses early_stopping and "balanced"; there at the first call',
        "it sees a part of the samples",
    ),
    *_same("predict decision_function score get_params set_params get_metadata_routing"),
    *_same("set_fit_request set_partial_fit_request set_score_request"),
    Name("sparsify", ABSENT, "X may be sparse all the same", "the weights are an array"),
    Name("densify", ABSENT, "", "as sparsify"),
    # Attributes
    Name(
        "coef_",
        DIFFERENT,
        'begins with U(0, 1); there, as with weight_init="zeros", with 0. Of `dtype`, there of '
        "that of X",
        "the course's programs; kernels are for one dtype",
    ),
    Name("intercept_", DIFFERENT, "as coef_", "as coef_"),
    *_same("classes_ n_features_in_ feature_names_in_"),
    Name(
        "n_iter_",
        DIFFERENT,
        "without the epoch that made no mistake",
        "what changed the weights",
    ),
    Name(
        "t_",
        DIFFERENT,
        "without samples held out or of weight 0",
        "what was looked at",
    ),
    *(
        Name(
            name, ABSENT, "", "of scikit-learn's `SGDClassifier`, which its `Perceptron` is made of"
        )
        for name in ("loss", "loss_functions", "learning_rate", "power_t", "epsilon", "average")
    ),
)

CLASSES: dict[str, tuple[Name, ...]] = {
    "MLPClassifier": MLP_CLASSIFIER,
    "MLPRegressor": MLP_REGRESSOR,
    "Perceptron": PERCEPTRON,
}


def compared(class_name: str, width: int = 92) -> str:
    """Return the section of a class's docstring that says what differs from scikit-learn's."""
    rows = [row for row in CLASSES[class_name] if row.verdict != SAME]
    widths = [max(len(row.name) for row in rows) + 1, 38]
    widths.append(width - sum(widths) - 2)
    rule = " ".join("=" * n for n in widths)
    lines = [rule, *_wrapped(("name", "what", "why"), widths), rule]
    for (verdict, what, why), group in groupby(rows, itemgetter(1, 2, 3)):
        names = ", ".join(row.name for row in group)
        here = what if verdict == DIFFERENT else f"absent. {what}".rstrip(". ")
        lines += _wrapped((names, here, why), widths)
    table = textwrap.indent("\n".join([*lines, rule]), "    ")
    return f"""
    Notes
    -----
    Programs for scikit-learn's `{class_name}` run here, with another import. What differs (a name
    that is not here has its meaning and its default):

{table}
"""


def _wrapped(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Return the lines of a row: cells side by side, broken at words."""
    wrapped = [textwrap.wrap(cell, n) for cell, n in zip(cells, widths, strict=True)]
    n_lines = max(map(len, wrapped))
    columns = [lines + [""] * (n_lines - len(lines)) for lines in wrapped]
    return [
        " ".join(part.ljust(n) for part, n in zip(line, widths, strict=True)).rstrip()
        for line in zip(*columns, strict=True)
    ]


def markdown(class_names: Sequence[str]) -> str:
    """Return the table of all names of some classes."""
    rows: dict[Name, list[str]] = {}
    for class_name in class_names:
        for row in CLASSES[class_name]:
            rows.setdefault(row, []).append(class_name)
    lines = ["| name | here | what | why |", "|---|---|---|---|"]
    for row, owners in rows.items():
        owner = "" if len(owners) == len(class_names) else f" ({', '.join(owners)})"
        lines.append(f"| `{row.name}`{owner} | {row.verdict} | {row.what} | {row.why} |")
    return "\n".join(lines)


def renewed(page: str) -> str:
    """Return the text of the page with its tables, between comments that name classes, anew."""
    return re.sub(
        r"(<!-- names of (.*?) -->\n).*?(<!-- end -->)",
        lambda found: found[1] + markdown(found[2].split()) + "\n" + found[3],
        page,
        flags=re.DOTALL,
    )


if __name__ == "__main__":
    import sys

    for _path in map(Path, sys.argv[1:]):
        _path.write_text(renewed(_path.read_text(encoding="utf-8")), encoding="utf-8")

"""What a user's type checker and editor know of the public names."""

import re
from pathlib import Path

import pytest

import fastnn

api = pytest.importorskip("mypy.api")

# Expression, and a part of what mypy says of it.
TYPES = {
    "fastnn.MLPClassifier().fit(X, y)": "fastnn.mlp.MLPClassifier",
    "fastnn.MLPRegressor().fit(X, y)": "fastnn.mlp.MLPRegressor",
    "fastnn.Perceptron().fit(X, y)": "fastnn.perceptron.Perceptron",
    "fastnn.LinearNetwork().fit(X, y)": "fastnn.linear.LinearNetwork",
    "Own().fit(X, y)": "Own",
    "fastnn.MLPClassifier().fit(X, y).predict(X)": "numpy.ndarray[",
    "fastnn.MLPClassifier().predict_proba(X)": "numpy.ndarray[",
    "fastnn.MLPClassifier().classes_": "numpy.ndarray[",
    "fastnn.MLPClassifier().params_": "numpy.ndarray[",
    "fastnn.MLPRegressor().loss_curve_": "numpy.float64",
    "fastnn.MLPRegressor().coefs_": "list[numpy.ndarray[",
    "fastnn.MLPRegressor().n_iter_": "int",
    "fastnn.Perceptron().coef_": "numpy.ndarray[",
    "fastnn.Perceptron().converged_": "bool",
    "fastnn.LinearNetwork().loss_": "float",
    "fastnn.load('x').predict(X)": "numpy.ndarray[",
    "fastnn.train_many(fastnn.MLPRegressor(), X, y, random_state=range(2))": (
        "list[fastnn.mlp.MLPRegressor]"
    ),
    "fastnn.__version__": "str",
}
SNIPPET = """
import fastnn
class Own(fastnn.MLPClassifier): ...
X, y = fastnn.load_xor()
reveal_type(fastnn.load("x"))
"""


@pytest.fixture(scope="module")
def revealed(tmp_path_factory):
    """Return what mypy says of `fastnn.load("x")` and of each expression."""
    folder, package = tmp_path_factory.mktemp("types"), Path(fastnn.__file__).parent
    program = folder / "program.py"
    program.write_text(SNIPPET + "\n".join(f"reveal_type({text})" for text in TYPES))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        if "site-packages" not in package.parts:  # an editable install, which mypy does not see
            patch.setenv("MYPYPATH", str(package.parent))
        options = "--config-file=", "--follow-imports=silent", f"--cache-dir={folder}"
        printed, errors, status = api.run([*options, str(program)])
    assert not status, printed + errors
    return re.findall('Revealed type is "(.*)"', printed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "expected"), list(enumerate(TYPES.values(), 1)), ids=list(TYPES)
)
def test_types(revealed, number, expected):
    assert expected in revealed[number]


def test_what_load_returns(revealed):
    kinds = ("mlp.MLPClassifier", "mlp.MLPRegressor", "perceptron.Perceptron")
    for kind in (*kinds, "linear.LinearNetwork"):
        assert f"fastnn.{kind}" in revealed[0]

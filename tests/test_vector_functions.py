"""How far the compiled back ends' vector functions are from the truth, in units of the last place.

A network of one unit with the weight 1 and the bias 0 gives f(x) of its input. Judged by mpmath.
"""

import importlib.util
import os
import subprocess
import sys

import mpmath
import numpy as np
import pytest

from fastnn.backends import codes
from fastnn.backends.interface import Network, Samples

# As vector.h states; beyond the range of normal numbers: see `tiny` and `largest` below.
ULP = {"exponential": 2, "sigmoid": 3, "tanh": 3, "softplus": 3, "gelu": 4}
TRUTH = {
    "exponential": mpmath.exp,
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "tanh": mpmath.tanh,
    "softplus": lambda z: mpmath.log1p(mpmath.exp(z)),
    "gelu": lambda z: z * mpmath.ncdf(max(-1000, min(z, 1000))),
}


def points(dtype, rng):
    """Return numbers of every size: subnormal ones, those where exp overflows, and the largest."""
    kind = np.finfo(dtype)
    sizes = 2.0 ** rng.uniform(np.log2(float(kind.smallest_subnormal)), 12, 1500)
    edges = np.array([0.0, kind.tiny, kind.smallest_subnormal, kind.max, 87.5, 88.7, 709.5, 745.0])
    both = np.concatenate([sizes, rng.uniform(0, 20, 1500), rng.uniform(20, 40, 300), edges])
    return np.concatenate([both, -both]).astype(dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", list(ULP))
def test_error_in_the_last_place(compiled, name, dtype, rng):
    x = points(dtype, rng)
    code = getattr(codes, name.upper())
    net = Network((1, 1), (code,), (0.0,), codes.HALF_SQUARED_ERROR)
    params = np.array([1, 0], dtype)
    (found,) = compiled.mlp_forward(net, params, Samples(x[:, np.newaxis], 1.0, None), False, 1)
    found, kind = found[:, 0], np.finfo(dtype)
    with mpmath.workprec(120):
        true = [TRUTH[name](mpmath.mpf(float(v))) for v in x]
        # In the first binade below overflow exp is held back; what is below a normal number is
        # as good as one.
        largest = mpmath.exp(88 if dtype == "float32" else 709)
        tiny = float(kind.tiny) * 2
        worst = 0
        for value, t in zip(found, true, strict=True):
            if name == "exponential" and t > largest:
                t = largest
            error = abs(mpmath.mpf(float(value)) - t)
            if abs(t) < tiny:
                assert error < tiny
                continue
            ulp = mpmath.mpf(2) ** (mpmath.floor(mpmath.log(abs(t), 2)) - kind.nmant)
            worst = max(worst, error / ulp)
    assert worst <= ULP[name], float(worst)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")
@pytest.mark.parametrize("variable", ["NUMBA_CPU_NAME=generic", "NUMBA_ENABLE_AVX=0"])
def test_numba_compiles_for_another_processor(variable, tmp_path):
    """Only what that one has: LLVM ends the process where it finds an instruction it has not."""
    program = (
        "import fastnn; fastnn.set_backend('numba'); X, y = fastnn.load_xor(); "
        "model = fastnn.MLPClassifier((5,), 'sigmoid', max_iter=3, tol=None, random_state=0)"
        ".fit(X, y); print(model.n_iter_); "
        "X = [[0.0] * 63 + [1.0]] * 9000; model.fit(X, [0, 1] * 4500); print(model.n_iter_)"
    )
    name, value = variable.split("=")
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {name: value, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (done.returncode, done.stdout) == (0, "3\n3\n"), done.stderr

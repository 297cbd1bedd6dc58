import numpy as np
import pytest

import fastnn
from fastnn import backends

# CUDA has tests of its own, small enough for the simulator.
AVAILABLE = [
    name
    for name, why in fastnn.available_backends().items()
    if why is None and name != "numba-cuda"
]
COMPILED = [name for name in AVAILABLE if name != "python"]


@pytest.fixture(params=AVAILABLE)
def backend(request):
    """Run a test on every back end that is available."""
    with fastnn.use_backend(request.param):
        yield request.param


@pytest.fixture(params=COMPILED)
def compiled_backend(request):
    """Run a test on every compiled back end."""
    with fastnn.use_backend(request.param):
        yield request.param


@pytest.fixture(params=COMPILED)
def compiled(request):
    """Return each compiled back end's kernels."""
    return backends.kernels(request.param)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def relative_error(values, reference):
    """Return the largest difference, relative to the largest reference value."""
    reference = np.asarray(reference, float)
    scale = max(np.abs(reference).max(), 1e-300)
    return np.abs(np.asarray(values, float) - reference).max() / scale

"""Every CUDA kernel compiles for a GPU, wherever the package numba-cuda is: no GPU is needed."""

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest

if importlib.util.find_spec("numba_cuda") is None:
    pytest.skip("numba-cuda is not installed (extra: cuda)", allow_module_level=True)

from numba import config, cuda, float32, float64, types

if getattr(config, "ENABLE_CUDASIM", False):
    pytest.skip("the simulator does not compile", allow_module_level=True)

from fastnn.backends.numba_cuda import delta_rule, distortion, large, small

INT, UINT, DOUBLE, BYTE = types.int64, types.uint64, types.float64, types.uint8


def array(dtype, n_dimensions):
    return types.Array(dtype, n_dimensions, "C")


def signatures(real):
    """Return each kernel with the types that it is launched with."""
    vector, matrix, cube = (array(real, n) for n in (1, 2, 3))
    indices, doubles, doubles_2 = array(INT, 1), array(DOUBLE, 1), array(DOUBLE, 2)
    table, bytes_, keys = array(INT, 2), array(BYTE, 2), array(UINT, 1)
    layers, many_layers = (table, vector, INT), (array(INT, 3), matrix, INT)
    compressed = [
        types.Tuple((array(values, 1), array(columns, 1), indices, INT))
        for values, columns in [(real, types.uint16), (BYTE, types.int32)]
    ]
    for X in (matrix, bytes_, *compressed):
        samples, is_compressed = (X, real, matrix, vector), X in compressed
        small_kernels = small.small_kernels(real, is_compressed)
        reaches = (1,) if is_compressed else (1, 2, 4)  # a row is loaded in the same way
        large_kernels = [large.large_kernels(real, reach, is_compressed) for reach in reaches]
        for kernel in (small_kernels.in_global, small_kernels.in_shared):
            schedules = indices, array(INT, 2), INT, keys, doubles_2
            states = matrix, matrix, matrix, INT, INT
            rules = INT, doubles_2, indices, doubles_2
            yield kernel, (*states, *many_layers, *samples, *schedules, *rules)
        for kernels in large_kernels:
            schedule = indices, INT, INT, UINT, doubles
            state = vector, vector, vector, vector
            yield (
                kernels.train,
                (*state, *layers, *samples, *schedule, INT, doubles, INT, doubles),
            )
            yield kernels.apply, (vector, vector, *layers, *samples, indices, real, vector)
    switches = types.boolean, array(INT, 2), types.boolean
    ends = cube, doubles, indices, vector, DOUBLE
    for X in (matrix, compressed[0]):
        single = delta_rule.delta_rule_kernel(real, X is not matrix)
        yield single, (X, matrix, matrix, matrix, real, *switches, *ends)
    images = bytes_, bytes_, INT, INT, DOUBLE, DOUBLE, doubles, doubles, UINT, INT
    yield distortion.distort, (*images, array(DOUBLE, 3))


@pytest.mark.parametrize("capability", [(7, 5), (9, 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_kernel_compiles(dtype, capability, monkeypatch):
    # Device functions are compiled for the current device, and there may be none.
    monkeypatch.setattr(
        "numba.cuda.dispatcher.get_current_device",
        lambda: SimpleNamespace(compute_capability=capability),
    )
    real = {np.float32: float32, np.float64: float64}[dtype]
    for kernel, arguments in signatures(real):
        code, _ = cuda.compile(
            kernel.py_func, types.void(*arguments), cc=capability, device=False, abi="numba"
        )
        assert ".entry" in code
        if real == float32 and kernel.py_func.__name__ == "apply":  # it has all activations
            assert ".f64" not in code

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

from fastnn.backends import _cuda_delta_rule, _cuda_distortion, _cuda_layers, _cuda_small

INT, UINT, DOUBLE, BYTE = types.int64, types.uint64, types.float64, types.uint8


def array(dtype, n_dimensions):
    return types.Array(dtype, n_dimensions, "C")


def signatures(real):
    """Return each kernel with the types that numba_cuda.py launches it with."""
    vector, matrix, cube = (array(real, n) for n in (1, 2, 3))
    indices, doubles = array(INT, 1), array(DOUBLE, 1)
    layers = _cuda_layers.layer_kernels(real)
    small = _cuda_small.small_kernels(real)
    table, orders = array(INT, 2), array(INT, 3)
    bytes_, keys = array(BYTE, 2), array(UINT, 1)
    for X in (matrix, bytes_):
        yield layers.gather, (X, indices, INT, real, matrix, INT)
        for kernel in (small.in_global, small.in_shared):
            data = X, real, matrix, orders, INT, INT, INT, array(DOUBLE, 2), keys, INT
            yield kernel, (matrix, matrix, matrix, INT, table, *data, array(DOUBLE, 2))
    buffers, sizes = (matrix, matrix, matrix), (INT, INT, INT)
    dropout = types.Tuple((INT, DOUBLE)), UINT, UINT
    yield layers.forward, (matrix, vector, *sizes, *buffers, *sizes, *dropout)
    yield layers.output, (*buffers, *sizes, INT, matrix, indices, INT, doubles)
    yield layers.add_losses, (doubles, INT, doubles, INT)
    yield layers.count_right, (matrix, *sizes, matrix, INT, array(types.int32, 1))
    yield layers.backward, (matrix, vector, *sizes, matrix, matrix, INT)
    numbers = types.UniTuple(real, 5)
    yield layers.update, (matrix, matrix, vector, vector, vector, *sizes, INT, INT, numbers)
    switches = types.boolean, array(INT, 2), types.boolean
    delta_rule = _cuda_delta_rule.delta_rule_kernel(real)
    yield delta_rule, (matrix, *buffers, real, *switches, cube, doubles, indices)
    images = bytes_, bytes_, INT, INT, DOUBLE, DOUBLE, doubles, doubles, UINT, INT
    yield _cuda_distortion.distort, (*images, array(DOUBLE, 3))


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
        # float32 arithmetic must not turn to double, but for losses, rates and Adam's correction
        if real is float32 and kernel.py_func.__name__ in ("gather", "backward", "update"):
            assert ".f64" not in code

"""The extension modules: one Cython source, compiled once per processor level and dtype."""

import platform
import sys
from glob import glob

from Cython.Build import cythonize
from setuptools import Extension, setup

SOURCE = "fastnn/backends/_kernels"
REALS = {"float32": "32", "float64": "64"}
# The best level that the processor offers is chosen at import (fastnn/backends/cython.py).
X86_LEVELS = {
    "v2": ["-march=x86-64-v2"],
    "v3": ["-march=x86-64-v3"],
    "v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
}


def extensions() -> list[Extension]:
    """Return an optional extension per level and dtype: without a compiler, none is built."""
    is_x86 = platform.machine().lower() in ("x86_64", "amd64") and sys.platform != "win32"
    levels = X86_LEVELS if is_x86 else {"plain": []}
    cythonize([SOURCE + ".pyx"])
    return [
        Extension(
            f"{SOURCE.replace('/', '.')}_{level}_{name}",
            [SOURCE + ".c"],
            depends=[*glob(SOURCE + "*.pxi"), "fastnn/backends/_vector.h"],
            # One C file serves every module: only the name of its entry point differs.
            define_macros=[
                ("FASTNN_REAL", bits),
                ("PyInit__kernels", f"PyInit__kernels_{level}_{name}"),
            ],
            extra_compile_args=["-O3", "-fno-math-errno", *flags]
            if sys.platform != "win32"
            else [],
            optional=True,
        )
        for level, flags in levels.items()
        for name, bits in REALS.items()
    ]


setup(ext_modules=extensions())

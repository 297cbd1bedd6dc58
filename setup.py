"""The extension modules: one Cython source, compiled once per processor level and dtype."""

import importlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

SOURCE = "fastnn/backends/cython_cpu/kernels"
REALS = {"float32": "32", "float64": "64"}
# The best level that the processor offers is chosen at import (fastnn/backends/cython_cpu).
X86_LEVELS = {
    "v2": ["-march=x86-64-v2"],
    "v3": ["-march=x86-64-v3"],
    "v4": ["-march=x86-64-v4", "-mprefer-vector-width=512"],
}
# GCC's limit for a whole file ends inlining in the midst of the hottest loops: 5 % of XOR. What
# says "inline" is to be.
INLINE = ["-DCYTHON_INLINE=inline __attribute__((always_inline))"]
GROWTH = ["--param=inline-unit-growth=300", "-fno-reorder-blocks-and-partition"]  # Clang: errors
FLAGS = ["-O3", "-fno-math-errno", *INLINE]
# Two of the package's modules, without the package: NumPy and others need not be here yet.
_backends = sys.modules["_backends"] = ModuleType("_backends")
_backends.__path__ = ["fastnn/backends"]
codes = importlib.import_module("_backends.codes")
sources = importlib.import_module("_backends.sources")
DEPENDS = sources.sources(sources.CYTHON)
DIGEST = sources.digest(DEPENDS)


def extensions() -> list[Extension]:
    """Return an optional extension per level and dtype: without a compiler, none is built."""
    is_x86 = platform.machine().lower() in ("x86_64", "amd64") and sys.platform != "win32"
    levels = X86_LEVELS if is_x86 else {"plain": []}
    return [
        Extension(
            f"{SOURCE.replace('/', '.')}_{level}_{name}",
            [SOURCE + ".c"],
            depends=[os.path.relpath(path) for path in DEPENDS],
            # One C file serves every module: only the name of its entry point differs.
            define_macros=[
                ("FASTNN_REAL", bits),
                ("FASTNN_SOURCES", f'"{DIGEST}"'),
                ("PyInit_kernels", f"PyInit_kernels_{level}_{name}"),
            ],
            extra_compile_args=[*FLAGS, *flags] if sys.platform != "win32" else [],
            # Named, or the loader takes the oldest exp and log of the C library, the slowest.
            libraries=["m"] if sys.platform != "win32" else [],
            optional=True,
        )
        for level, flags in levels.items()
        for name, bits in REALS.items()
    ]


def write_codes() -> None:
    """Write the codes of all formulas as Cython's C enumerations, from the table codes.py."""
    lines = ["# Written by setup.py from codes.py, and new with every build."]
    for table in ("ACTIVATIONS", "LOSSES", "OPTIMIZERS"):
        names = ", ".join(f"{row.name.upper()} = {row.code}" for row in getattr(codes, table))
        lines.append(f"cdef enum: {names}")
    for name in ("STORE_GRADIENT", "STREAM_DROPOUT", "STREAM_DISTORTION"):
        lines.append(f"cdef enum: {name} = {getattr(codes, name)}")
    for name in ("SELU_SCALE", "SELU_ALPHA"):
        lines.append(f"cdef double {name} = {getattr(codes, name)!r}")
    Path("fastnn/backends/cython_cpu/codes.pxi").write_text("\n".join(lines) + "\n")


class Build(build):
    """Starts from nothing: whatever an earlier build left would be packed."""

    def run(self) -> None:
        """Empty the folder of what is packed, unless somebody named another one."""
        if Path(self.build_lib).parent == Path(self.build_base):
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


class BuildExtensions(build_ext):
    """Leaves a copy of each module beside its source, where a Python in this folder imports it."""

    def build_extensions(self) -> None:
        """Compile, with the flags that only GCC knows if it is GCC."""
        if is_gcc(getattr(self.compiler, "compiler", ["no-compiler"])):
            for extension in self.extensions:
                extension.extra_compile_args += GROWTH
        super().build_extensions()

    def run(self) -> None:
        """Translate to C, compile, and copy."""
        Path(SOURCE + ".c").unlink(missing_ok=True)  # Cython overwrites none that was cut short
        write_codes()
        cythonize([SOURCE + ".pyx"], force=True)
        super().run()
        if not self.inplace:
            try:
                self.copy_extensions_to_source()
            except OSError as error:  # a folder that can only be read is fine, too
                self.warn(f"no copy of the extension modules beside their sources: {error}")


def is_gcc(compiler: list[str]) -> bool:
    """Ask a compiler for its name; without one there is nothing to build."""
    try:
        done = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return "Free Software Foundation" in done.stdout


# Forced: dates say nothing where files were unpacked or checked out.
setup(
    ext_modules=extensions(),
    cmdclass={"build": Build, "build_ext": BuildExtensions},
    options={"build": {"force": True}},
)

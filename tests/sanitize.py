"""The Cython kernels under AddressSanitizer and UBSan: `python tests/sanitize.py [tests]`.

Builds the extensions of a copy of the project with GCC's sanitizers, then runs the tests of parity
and of hostile files there; the first report of a sanitizer ends the run. Needs ".[test]" and GCC.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ("tests/test_parity.py", "tests/test_hostile_files.py")
SANITIZERS = "-fsanitize=address,undefined -fno-sanitize-recover=all"
CHECK = "import fastnn; print(fastnn.__file__); fastnn.set_backend('cython')"


def main(tests):
    """Return pytest's exit status, or that of the step which failed."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        for name in ("fastnn", "tests"):
            ignore = shutil.ignore_patterns("__pycache__", "*.so", "kernels.c")
            shutil.copytree(ROOT / name, project / name, ignore=ignore)
        for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, project)
        (project / "bench").symlink_to(ROOT / "bench")

        def run(*arguments, **variables):
            command = [sys.executable, *arguments]
            subprocess.run(command, cwd=project, env=os.environ | variables, check=True)

        flags = f"{SANITIZERS} -g -fno-omit-frame-pointer"
        run("setup.py", "-q", "build_ext", "--inplace", CC="gcc", CFLAGS=flags, LDFLAGS=flags)
        modules = [*project.glob("fastnn/backends/cython_cpu/*.so")]
        if not modules or any(b"__asan_report" not in path.read_bytes() for path in modules):
            print("the extension modules were not built with sanitizers", file=sys.stderr)
            return 1
        environment = {
            "LD_PRELOAD": f"{library('libasan.so')} {library('libubsan.so')}",
            "ASAN_OPTIONS": "detect_leaks=0:strict_string_checks=1",  # Python leaks as it ends
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "PYTHONPATH": str(project),
            "PYTHONMALLOC": "malloc",  # each object by itself, or an overflow hits a neighbour
            "NUMBA_DISABLE_JIT": "1",  # its machine code is not instrumented
        }
        run("-c", CHECK, **environment)
        # Not captured: a report is printed by a process that ends at once.
        run("-m", "pytest", "-s", "-p", "no:cacheprovider", *tests, **environment)
    return 0


def library(name):
    """Return where GCC keeps a library."""
    command = ["gcc", f"-print-file-name={name}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:] or TESTS))
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed with status {error.returncode}: {' '.join(map(str, error.cmd[1:]))}")

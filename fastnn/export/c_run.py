"""C headers compiled and run on samples, by the compiler that is there."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .c_header import CHeader

_MAIN = """
#include "{path}"
#include <stdio.h>

int main(void)
{{
    static {name}_input x[{upper}_N_FEATURES];
    static {score} scores[{upper}_N_SCORES];
    static {real} values[{upper}_N_VALUES];
    uint32_t labels[{n_labels}];
    unsigned k;

    while (fread(x, sizeof x, 1, stdin) == 1) {{
        {name}_scores(x, scores);
        {name}_values(scores, values);
        for (k = 0; k < {n_labels}; k++) labels[k] = {label};
        if (fwrite(values, sizeof values, 1, stdout) != 1) return 1;
        if (fwrite(labels, sizeof labels, 1, stdout) != 1) return 1;
    }}
    return 0;
}}
"""
SECONDS = 300


def compiler() -> list[str]:
    """Return the command of a C compiler: that of the variable CC, or cc, gcc or clang.

    Raises
    ------
    RuntimeError
        If there is none.
    """
    given = os.environ.get("CC", "").split()
    for command in [given] if given else [["cc"], ["gcc"], ["clang"]]:
        if shutil.which(command[0]):
            return command
    raise RuntimeError(
        "C: the file is compiled and compared with the model before it is written, and there is no "
        f"C compiler ({' '.join(given) or 'cc, gcc or clang'}); expected one, or its name in the "
        "variable CC"
    )


def compile_and_run(path: Path, X: NDArray, header: CHeader) -> tuple[NDArray, NDArray[np.int64]]:
    """Return the values (n, n_values) and labels (n, n_labels) that a file gives for samples.

    Parameters
    ----------
    path : Path
    X : (n_samples, n_features)
        Of the type of the header's inputs.
    header : CHeader
        What is in the file.

    Raises
    ------
    RuntimeError
        If it cannot be compiled or run.
    """
    n_labels = header.n_labels
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "main.c"), Path(folder, "main")
        text = _MAIN.format(
            path=str(path.resolve()).replace("\\", "/"),
            name=header.name,
            upper=header.name.upper(),
            score=header.score,
            real=header.real,
            n_labels=max(1, n_labels),
            label=header.label,
        )
        source.write_text(text, encoding="utf-8")
        command = [*compiler(), "-std=c99", "-O1", str(source), "-lm", "-o", str(program)]
        _call(command, "compiled")
        output = _call([str(program)], "run", np.ascontiguousarray(X).tobytes())
    real = np.dtype(np.float32 if header.real == "float" else np.float64)
    row = np.dtype([("values", real, (header.n_values,)), ("labels", np.uint32, max(1, n_labels))])
    rows = np.frombuffer(output, row)
    return rows["values"], rows["labels"].reshape(len(rows), -1)[:, :n_labels].astype(np.int64)


def _call(command: list[str], what: str, data: bytes = b"") -> bytes:
    done = subprocess.run(command, input=data, capture_output=True, timeout=SECONDS, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        lines = [line for line in lines if "error" in line] or lines or ["no message"]
        raise RuntimeError(f"C: the file cannot be {what} by {command[0]}: {lines[0]}")
    return done.stdout

"""C headers, as the compilers that are there make programs of them."""

import shutil
import subprocess

import numpy as np
import pytest
from export_cases import HIDDEN, LABELS, SCALERS, STRICT_C, TASKS, examples, network, networks
from hypothesis import given

from fastnn.export import to_c
from fastnn.export.c_run import compiler

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
FREESTANDING = ["-std=c99", "-ffreestanding", "-nostdinc", "-Wall", "-Wextra", "-Werror"]
CLOSE = {"float32": 2e-5, "float64": 1e-12}
pytestmark = pytest.mark.skipif(not COMPILERS, reason="there is no C compiler")


def compiled(path, compiler, *options):
    """Compile a header's own test, without a warning, and return what it prints."""
    program = path.with_suffix(f".{compiler}")
    define = f"-D{path.stem.upper()}_TEST"
    command = [
        compiler,
        *STRICT_C,
        *options,
        define,
        "-x",
        "c",
        str(path),
        "-lm",
        "-o",
        str(program),
    ]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout


def check(model, X, path, **options):
    """Write a header, which is compared with the model on X, and let its test run."""
    written = to_c(model, path, samples=X, overwrite=True, **options)
    for name in COMPILERS:
        assert compiled(path, name).endswith(" 0 wrong\n")
    return written


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", HIDDEN)
def test_activations(activation, dtype, tmp_path):
    written = check(*network("classes", (6, 5), activation, dtype), tmp_path / "net.h")
    assert written.difference <= CLOSE[dtype]
    model, X = network("flat", (6,), activation, dtype, out_activation=activation)
    assert check(model, X, tmp_path / "net.h").difference <= CLOSE[dtype]


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("task", TASKS)
def test_tasks(task, labels, tmp_path):
    written = check(*network(task, dtype="float32", labels=labels), tmp_path / "net.h")
    assert written.difference <= CLOSE["float32"]


@pytest.mark.parametrize("scaler", SCALERS)
def test_inputs(scaler, tmp_path):
    check(*network(dtype="float32", scaler=scaler, input_scale=0.3), tmp_path / "net.h")


def test_bytes(tmp_path):
    model, X = network(dtype="float32", is_bytes=True, input_scale=1 / 255)
    check(model, X, tmp_path / "net.h")
    assert "typedef uint8_t net_input;" in (tmp_path / "net.h").read_text()


@examples(10)
@given(case=networks())
def test_random_networks(case, tmp_path):
    check(*case, tmp_path / "net.h")


@pytest.mark.slow
@examples(300)
@given(case=networks())
def test_many_random_networks(case, tmp_path):
    to_c(*case[:1], tmp_path / "net.h", samples=case[1], overwrite=True)


@pytest.mark.slow
@examples(100)
@given(case=networks())
def test_random_networks_in_fixed_point(case, tmp_path):
    """Their integers are NumPy's, or they would not be written."""
    model, X = case
    to_c(model, tmp_path / "net.h", samples=X, dtype="int8", overwrite=True)


@pytest.mark.parametrize("activation", HIDDEN)
def test_fixed_point(activation, tmp_path):
    """Its integers are those of NumPy, or it would not be written; its values are near."""
    model, X = network("classes", (8,), activation, "float32", n_features=5)
    written = check(model, X, tmp_path / "net.h", dtype="int8")
    assert 0 < written.difference < (0.5 if activation == "sign" else 0.05)  # it jumps
    has_table = activation not in ("relu", "identity")
    assert written.details["flash"] == 8 * 5 + 3 * 8 + 8 * (8 + 3) + has_table * 512


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("is_bytes", [False, True])
def test_fixed_point_of_all_tasks(task, is_bytes, tmp_path):
    scale = 1 / 255 if is_bytes else 1.0
    model, X = network(task, (8,), is_bytes=is_bytes, dtype="float32", input_scale=scale)
    written = check(model, X, tmp_path / "net.h", dtype="int8")
    assert written.difference < 0.05


@pytest.mark.parametrize("scaler", SCALERS)
def test_fixed_point_behind_a_scaler(scaler, tmp_path):
    model, X = network(scaler=scaler, input_scale=-0.3)
    assert check(model, X, tmp_path / "net.h", dtype="int8").difference < 0.05


def test_what_fixed_point_costs_is_said(tmp_path):
    model, X = network("classes", (8,), labels="strings")
    y = model.predict(X)
    details = check(model, X, tmp_path / "net.h", dtype="int8", targets=y).details
    assert details["score"] == 1.0
    assert details["file_score"] == details["same_labels"] > 0.8


@pytest.mark.parametrize(("dtype", "hidden"), [("float32", "relu"), ("int8", "tanh")])
def test_scores_need_no_library(dtype, hidden, tmp_path):
    """Nor a header that the compiler itself does not bring."""
    model, X = network("classes", (4,), hidden, dtype="float32")
    to_c(model, tmp_path / "net.h", samples=X, dtype=dtype)
    include = subprocess.run(
        [COMPILERS[0], "-print-file-name=include"], check=True, capture_output=True, text=True
    ).stdout.strip()
    (tmp_path / "main.c").write_text(
        '#include "net.h"\nunsigned choose(const float *x);\nunsigned choose(const float *x)\n{\n'
        f"    {'float' if dtype == 'float32' else 'int32_t'} s[3];\n"
        "    net_scores(x, s);\n    return net_class(s);\n}\n"
    )
    options = [*FREESTANDING, "-isystem", include, "-DNET_SCORES_ONLY"]
    command = [COMPILERS[0], *options, "-c", "main.c", "-o", "main.o"]
    subprocess.run(command, cwd=tmp_path, check=True)


@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_cpp_takes_it_too(dtype, tmp_path):
    """As programs for Arduino are C++."""
    model, X = network("classes", (4,), "tanh", "float32", "strings", "min_max")
    to_c(model, tmp_path / "net.h", samples=X, dtype=dtype)
    strict = ["-std=c++11", *STRICT_C[1:], "-DNET_TEST", "-x", "c++"]
    subprocess.run(["g++", *strict, "net.h", "-o", "net"], cwd=tmp_path, check=True)
    subprocess.run([str(tmp_path / "net")], check=True)


@pytest.mark.parametrize("name", ["name", "upper", "real", "score", "int", "exp"])
def test_names_that_mean_something_here_or_in_c(name, tmp_path):
    written = check(*network(dtype="float32"), tmp_path / f"{name}.h")
    assert f"{name}_scores(" in written.path.read_text()


def test_refusals(tmp_path, monkeypatch):
    model, X = network()
    for options, message in (
        ({"dtype": "int4"}, "dtype='int4': expected one of float32, float64, int8"),
        ({"dtype": ["int8"]}, r"dtype=\['int8'\]: expected one of float32"),
        ({"dtype": "int8"}, "samples=None: expected samples for dtype='int8'"),
        ({"name": "7up"}, "name='7up': expected small letters"),
        (
            {"samples": X, "targets": [1], "dtype": "int8"},
            "targets: 1 for 24 samples; expected as many",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            to_c(model, tmp_path / "net.h", **options)
    monkeypatch.setenv("CC", "no-such-compiler -O3")
    with pytest.raises(RuntimeError, match=r"no C compiler \(no-such-compiler -O3\)"):
        to_c(model, tmp_path / "net.h")
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("CC", f"{COMPILERS[0]} -Wall")
    assert compiler() == [COMPILERS[0], "-Wall"]


def test_a_header_that_is_wrong_is_not_written(tmp_path, monkeypatch):
    model, X = network()
    monkeypatch.setattr("fastnn.export.c_text.numbers", lambda values, ctype: "\n    0")
    with pytest.raises(ValueError, match=r"not written, as it differs from the model by"):
        to_c(model, tmp_path / "net.h", samples=X)
    assert not list(tmp_path.iterdir())


def test_a_sum_that_32_bits_do_not_hold_is_refused(tmp_path):
    model, X = network(n_features=70_000, is_bytes=True, hidden=(1,), dtype="float32")
    model.coefs_ = [np.ones_like(model.coefs_[0]), model.coefs_[1]]
    with pytest.raises(ValueError, match="layer 1: 70000 inputs are too many for sums of 32 bits"):
        to_c(model, tmp_path / "net.h", samples=X, dtype="int8")

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import fastnn
from fastnn import __main__, recipe_runs, recipes, training
from fastnn.cli import main
from fastnn.options import to_json


@pytest.fixture(autouse=True)
def _restore(monkeypatch):
    monkeypatch.setattr("fastnn.backends._default", None)


def run(*arguments):
    result = CliRunner().invoke(main, list(arguments))
    assert not isinstance(result.exception, (KeyError, TypeError)), result.exc_info
    return result


def test_backends():
    printed = run("backends").output
    assert "python     available" in printed
    assert "*" in printed


@pytest.mark.slow
def test_train_xor_prints_a_summary():
    printed = run("train", "xor", "--backend", "numba").output
    for words in ("2-10-1 on numba, 100001 epochs", "loss", "accuracy          1.0000", "class 1"):
        assert words in printed


def test_train_json():
    options = ("--epochs", "3", "--hidden", "20,10", "--activation", "tanh", "--lr", "0.01")
    more = ("--batch-size", "16", "--dropout", "0.1", "--seed", "5", "--threads", "1")
    result = json.loads(
        run("train", "digits", *options, *more, "--dtype", "float64", "--json").stdout
    )
    assert result["network"] == "64-20-10-10"
    assert result["dtype"] == "float64"
    assert len(result["loss_curve"]) == 3
    assert {"test_accuracy", "seconds_per_epoch", "backend"} <= set(result)


def test_a_special_recipe_follows_the_test_error(monkeypatch):
    X, y = fastnn.load_digits()
    X = X.astype(np.uint8) * 15
    small = replace(
        recipes.DEEP_BIG_SIMPLE,
        load=lambda: (X[:300], y[:300], X[300:400], y[300:400]),
        parameters={
            **recipes.DEEP_BIG_SIMPLE.parameters,
            "batch_size": 10,
            "hidden_layer_sizes": (20, 10),
            "distortion": fastnn.ImageDistortion(8, 8, sigma=2.0, alpha=6.0),
        },
    )
    monkeypatch.setitem(recipes.SPECIAL_RECIPES, "deep-big-simple", {"mnist": small})
    options = ("train", "mnist", "--recipe", "deep-big-simple", "--epochs", "40")
    result = json.loads(run(*options, "--json").output)
    epochs, seconds, _, errors = zip(*result["test_errors"], strict=True)
    assert epochs == tuple(range(1, 41))
    assert list(seconds) == sorted(seconds)
    assert errors[-1] < 0.4 < errors[0]
    assert errors[-1] == pytest.approx(1 - result["test_accuracy"])
    assert "test error" in run(*options).output
    result = json.loads(run(*options, "--minutes", "1e-6", "--json").output)
    assert (result["epochs"], result["stop_reason"]) == (1, "callback")


def test_the_laptop_recipe_fills_its_time(monkeypatch):
    """Its schedule ends with it, so a limit in minutes says how many epochs there are."""
    X, y = fastnn.load_digits()
    X = X.astype(np.uint8) * 15
    small = replace(
        recipes.LAPTOP,
        load=lambda: (X[:300], y[:300], X[300:400], y[300:400]),
        parameters={
            **recipes.LAPTOP.parameters,
            "batch_size": 10,
            "hidden_layer_sizes": (30,),
            "distortion": fastnn.ImageDistortion(8, 8, sigma=2.0, alpha=6.0),
        },
    )
    monkeypatch.setitem(recipes.SPECIAL_RECIPES, "laptop", {"mnist": small})
    few, many = (
        recipe_runs._epochs_within(seconds, small.parameters, X, y) for seconds in (1e-9, 1e4)
    )
    assert few == 1 < many
    monkeypatch.setattr(recipe_runs, "_epochs_within", lambda seconds, *_: int(seconds))
    options = ("train", "mnist", "--recipe", "laptop", "--json", "--minutes")
    result = json.loads(run(*options, "0.4").output)
    assert (result["epochs"], result["stop_reason"]) == (24, "max_iter")
    assert [row[0] for row in result["test_errors"]] == [10, 20, 24]
    assert result["test_errors"][-1][-1] == pytest.approx(1 - result["test_accuracy"])
    assert json.loads(run(*options, "9", "--epochs", "3").output)["epochs"] == 3


def test_a_comparison_says_what_it_waits_for(monkeypatch, capsys):
    monkeypatch.setattr(recipe_runs, "is_watched", lambda: True)
    monkeypatch.setattr(recipe_runs.backends, "available_backends", lambda: {"python": None})
    few = replace(recipes.RECIPES["xor"], reference_epochs=3)
    recipe_runs.compare_backends(few, 0, None)
    assert "python: 3 epochs ..." in capsys.readouterr().err


@pytest.mark.slow
def test_compare():
    result = json.loads(run("compare", "digits", "--json").output)
    assert result["dataset"] == "digits"
    for row in result["backends"].values():
        assert row["max_relative_difference"] < 1e-3
        assert {"loss", "accuracy", "seconds", "speed"} <= set(row)
    assert "back end" in run("compare", "digits").output


def test_json_of_a_diverged_training():
    """NaN and infinity are no JSON."""
    printed = run("train", "digits", "--lr", "1e38", "--epochs", "2", "--json").stdout
    result = json.loads(printed, parse_constant=pytest.fail)
    assert (result["loss"], result["stop_reason"]) == (None, "diverged")
    assert result["loss_curve"][-1] is None
    assert to_json({"a": [float("inf"), (1.5, -float("inf"))]}) == '{"a": [null, [1.5, null]]}'


def test_a_training_ends_with_its_time_and_a_next_step():
    lines = run("train", "xor", "--epochs", "5").stdout.splitlines()
    assert lines[-3].startswith("seconds besides")
    assert lines[-2].startswith("seconds in all")
    assert lines[-1] == "next: fastnn compare xor"
    assert run("train", "digits", "--epochs", "1").stdout.endswith("next: fastnn compare digits\n")


def test_compiling_is_no_time_of_the_training(monkeypatch):
    """Before the clock starts, the same network trains on few samples."""
    fits, fit = [], fastnn.MLPClassifier.fit

    def recorded(model, X, y, **options):
        result = fit(model, X, y, **options)
        fits.append((len(X), X.dtype, model.n_iter_, model.network_))
        return result

    monkeypatch.setattr(fastnn.MLPClassifier, "fit", recorded)
    options = ("--backend", "numba", "--epochs", "3", "--dropout", "0.5")
    assert run("train", "digits", *options).exit_code == 0
    (few, dtype, epochs, network), whole = fits
    assert whole == (1438, dtype, 3, network)
    assert (few < 60, epochs) == (True, 1)


@pytest.mark.parametrize(
    ("arguments", "messages"),
    [
        ("train xor --backend nmba", ("'--backend'", "there is no back end 'nmba'")),
        ("train xor --lr -1", ("'--lr'", "-1.0: expected a number above 0")),
        ("train xor --lr nan", ("'--lr'", "nan")),
        ("train digits --lr 1e-60", ("'--lr'", "float32")),
        ("train xor --hidden a", ("'--hidden'", "expected integers separated by commas")),
        ("train xor --hidden 5,0", ("'--hidden'", "1 or above, got 0")),
        ("train xor --hidden 99999999999999999999", ("'--hidden'", "parameters")),
        ("train xor --activation rely", ("'--activation'", "activation='rely'")),
        ("train xor --dropout 1", ("'--dropout'", "from 0 to below 1")),
        ("train xor --dtype float16", ("'--dtype'",)),
        ("train xor --seed 18446744073709551616", ("'--seed'",)),
        ("train xor --threads 0", ("'--threads'",)),
        ("train xor --batch-size 0", ("'--batch-size'",)),
        ("train xor --epochs 0", ("'--epochs'",)),
        ("train xor --minutes 0", ("'--minutes'", "0.0 is not in the range")),
        ("train xor --minutes nan", ("'--minutes'", "nan")),
        ("train xor --recipe deep-big-simple", ("'--recipe'", "for xor; expected")),
        ("train mnist --recipe deep", ("'--recipe'", "expected deep-big-simple (for mnist)")),
        ("train zebra", ("'zebra' is not one of",)),
        ("compare xor --seed 18446744073709551616", ("'--seed'",)),
        ("course run 1 --backend nmba", ("'--backend'",)),
        ("course run 1 --out {file}/below", ("'--out'", "Not a directory")),
        ("course report --out {file}/below", ("'--out'",)),
        ("course report --seed -1", ("'--seed'",)),
        ("bench nmist", ("WORKLOAD", "there is no 'nmist'")),
        ("bench --paired nmist", ("WORKLOAD",)),
        ("bench xor --out {file}/below", ("'--out'",)),
    ],
)
def test_usage_errors_name_the_option(arguments, messages, tmp_path, monkeypatch):
    """They come before any work: no data are loaded, nothing is trained."""
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    for name in ("_digits", "_xor"):
        monkeypatch.setattr(recipes, name, pytest.fail)
    result = run(*arguments.format(file=tmp_path / "file").split())
    assert result.exit_code == 2
    for message in messages:
        assert message in result.stderr.replace("\n", " ")


def test_the_largest_seed():
    assert run("train", "xor", "--seed", str(2**64 - 1), "--epochs", "2").exit_code == 0


@pytest.mark.parametrize(
    "command",
    [
        "backends",
        "train xor",
        "compare xor",
        "course",
        "course run 1",
        "course report",
        "bench xor",
        "export m.fastnn --to numpy m.py",
    ],
)
def test_a_wrong_environment_is_named_by_every_command(command, monkeypatch):
    monkeypatch.setenv("FASTNN_BACKEND", "nmba")
    result = run(*command.split())
    assert result.exit_code == 2
    assert "FASTNN_BACKEND: there is no back end 'nmba'" in result.stderr


@pytest.fixture
def ctrl_c(monkeypatch):
    """Return a function that has Ctrl-C pressed in the n-th call of the kernels."""

    def press(n):
        calls, call = [], training.MLPTask._call

        def interrupted(*args):
            calls.append(args)
            if len(calls) == n:
                signal.raise_signal(signal.SIGINT)
            return call(*args)

        monkeypatch.setattr(training.MLPTask, "_call", interrupted)

    return press


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        *("train xor", "train digits --json", "compare xor"),
        *("course run bp-xor --out {out}", "course run all --quick --out {out}"),
    ],
)
def test_ctrl_c(command, ctrl_c, tmp_path):
    ctrl_c(2)
    result = run(*command.format(out=tmp_path).split())
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1].startswith("interrupted")
    assert "Aborted" not in result.output
    assert "--json" not in command or not result.stdout


def test_ctrl_c_says_how_far_a_training_has_come(ctrl_c, monkeypatch):
    ctrl_c(5)
    monkeypatch.setattr(training.MLPTask, "epochs_per_call", lambda self: 1)
    found = re.search(r"interrupted after (\d) epochs, loss \d", run("train", "xor").stderr)
    assert found[1] == "3"  # the first call was to warm up


def test_ctrl_c_before_the_first_epoch(monkeypatch):
    monkeypatch.setattr(training.MLPTask, "run", lambda *_: signal.raise_signal(signal.SIGINT))
    printed = run("train", "digits", "--backend", "python").stderr
    assert printed == "interrupted before the first epoch was complete\n"


def run_process(*arguments, **options):
    command = (sys.executable, "-m", "fastnn", *arguments)
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=600, **options)


def test_as_a_module():
    result = run_process("train", "--help", stdout=subprocess.PIPE)
    assert result.stdout.startswith("Usage: fastnn train [OPTIONS]")


def test_ctrl_c_while_loading(monkeypatch, capsys):
    class Interrupted:
        def find_spec(self, name, *_):
            if name == "fastnn.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "fastnn.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit, match="130"):
        __main__.main()
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="pipes of Windows are others")
@pytest.mark.parametrize("arguments", [("course",), ("course", "run", "truth-table")])
def test_a_closed_pipe(arguments, tmp_path):
    """As after `| head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        result = run_process(*arguments, stdout=writer, cwd=tmp_path)
    finally:
        os.close(writer)
    assert result.returncode == 1
    assert result.stderr == ""

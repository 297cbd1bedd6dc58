import json

import pytest
from click.testing import CliRunner

from fastnn.cli import main


@pytest.fixture(autouse=True)
def _restore(monkeypatch):
    monkeypatch.setattr("fastnn.backends._default", None)


def run(*arguments):
    result = CliRunner().invoke(main, list(arguments))
    assert not isinstance(result.exception, (KeyError, TypeError)), result.exc_info
    return result


def test_backends():
    printed = run("backends").output
    assert "python   available" in printed
    assert "*" in printed


def test_train_xor_prints_a_summary():
    printed = run("train", "xor", "--backend", "numba").output
    for words in ("2-10-1 on numba, 100001 epochs", "loss", "accuracy          1.0000", "class 1"):
        assert words in printed


def test_train_json():
    options = ("--epochs", "3", "--hidden", "20,10", "--activation", "tanh", "--lr", "0.01")
    more = ("--batch-size", "16", "--dropout", "0.1", "--seed", "5", "--threads", "1")
    result = json.loads(
        run("train", "digits", *options, *more, "--dtype", "float64", "--json").output
    )
    assert result["network"] == "64-20-10-10"
    assert result["dtype"] == "float64"
    assert len(result["loss_curve"]) == 3
    assert {"test_accuracy", "seconds_per_epoch", "backend"} <= set(result)


def test_compare():
    result = json.loads(run("compare", "digits", "--json").output)
    assert result["dataset"] == "digits"
    for row in result["backends"].values():
        assert row["max_relative_difference"] < 1e-3
        assert {"loss", "accuracy", "seconds", "speed"} <= set(row)
    assert "back end" in run("compare", "digits").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "xor", "--backend", "nmba"), "there is no back end 'nmba'"),
        (("train", "xor", "--lr", "-1"), "learning_rate_init=-1.0"),
        (("train", "xor", "--hidden", "a"), "expected integers separated by commas"),
        (("train", "xor", "--activation", "rely"), "activation='rely'"),
        (("train", "zebra"), "'zebra' is not one of"),
    ],
)
def test_errors(arguments, message):
    result = run(*arguments)
    assert result.exit_code != 0
    assert message in result.output

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import fastnn
from fastnn import recipes
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
    assert "python     available" in printed
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
    monkeypatch.setitem(recipes.SPECIAL_RECIPES, "deep-big-simple", small)
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
        (("train", "xor", "--recipe", "deep-big-simple"), "'deep-big-simple' for xor; expected"),
        (("train", "mnist", "--recipe", "deep"), "expected deep-big-simple (for mnist)"),
        (("train", "xor", "--minutes", "0"), "0.0 is not in the range"),
        (("train", "zebra"), "'zebra' is not one of"),
    ],
)
def test_errors(arguments, message):
    result = run(*arguments)
    assert result.exit_code != 0
    assert message in result.output

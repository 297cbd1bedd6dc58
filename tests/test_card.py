"""Model cards: what a fit was given, how long it took, who wrote the file."""

import hashlib
import json
import re

import hostile
import numpy as np
import pytest
from click.testing import CliRunner
from safetensors import safe_open

import fastnn
from fastnn import persistence
from fastnn.card import card_of, text_of
from fastnn.cli import main
from fastnn.fingerprint import MOST_BYTES, fingerprint
from fastnn.together import fit_together

MODELS = hostile.honest_models()


def network(**changes):
    given = {"max_iter": 3, "tol": None, "random_state": 0, "verbose": False}
    return fastnn.MLPClassifier((4,), **{**given, **changes})


def test_a_fingerprint_is_of_the_bytes(rng):
    X, y = rng.normal(size=(20, 3)), np.arange(20) % 3
    found = network().fit(X, y).data_fingerprint_
    assert found["X"] == {
        "shape": (20, 3),
        "dtype": "float64",
        "sha256": hashlib.sha256(X.tobytes()).hexdigest(),
    }
    assert found["y"]["sha256"] == hashlib.sha256(y.tobytes()).hexdigest()
    assert found == fingerprint(X, y)
    assert found == network().fit(X.tolist(), y).data_fingerprint_
    for kind in (fastnn.Perceptron, fastnn.LinearNetwork):
        assert kind(max_iter=2).fit(X, y).data_fingerprint_ == found


def test_data_that_differ(rng):
    X, y = rng.normal(size=(5000, 7)), np.array(["a", "b", "c"])[np.arange(5000) % 3]
    assert X.nbytes > 4 * MOST_BYTES
    others = [X[::-1], X * 2, X.astype(np.float32), X[:-1], X[:, :-1]]
    digests = [fingerprint(table, y)["X"]["sha256"] for table in (X, *others)]
    assert len(set(digests)) == len(digests)
    assert fingerprint(X.copy(), y) == fingerprint(X, y)
    labels = [y, y[::-1], np.array(["a", "b", "d"])[np.arange(5000) % 3]]
    assert len({fingerprint(X, of)["y"]["sha256"] for of in labels}) == 3
    assert fingerprint(X, y.astype(object))["y"]["sha256"] == fingerprint(X, y)["y"]["sha256"]


def test_strings_are_shown_as_strings(rng):
    model = network().fit(rng.normal(size=(4, 2)), np.array(["churn", "stay"] * 2))
    assert re.search(r"^  y  4 str, sha256 ", text_of(model), re.M)
    assert card_of(model)["data"]["y"]["dtype"] == "str"


def test_the_last_row_counts(rng):
    X, y = rng.integers(0, 256, (3000, 784)).astype(np.uint8), np.zeros(3000)
    changed = X.copy()
    changed[-1, -1] ^= 1
    assert fingerprint(changed, y) != fingerprint(X, y)


@pytest.mark.parametrize("labels", ["M8[D]", ">f4", "U3", "?"])
def test_labels_of_any_kind(labels):
    y = np.arange(6).astype("M8[D]" if labels == "M8[D]" else int).astype(labels)
    first, second = fingerprint(np.ones((6, 1)), y)["y"], fingerprint(np.ones((6, 1)), y[::-1])["y"]
    assert (first == second) == np.array_equal(y, y[::-1])


def test_sparse_tables_have_one_too(rng):
    sparse = pytest.importorskip("scipy.sparse")
    X, y = sparse.random_array((40, 6), density=0.3, rng=0).tocsr(), np.arange(40) % 2
    first = network().fit(X, y).data_fingerprint_
    assert first["X"]["shape"] == (40, 6)
    assert first == network(random_state=1).fit(X.copy(), y).data_fingerprint_
    assert first != network().fit(2 * X, y).data_fingerprint_


def test_together_as_alone(rng):
    X, y = rng.normal(size=(30, 3)), np.arange(30) % 3
    jobs = [(network(random_state=i), X, y, None) for i in range(40)]
    for model in fit_together(jobs, verbose=False):
        assert model.data_fingerprint_ == fingerprint(X, y)
        assert 0 < model.fit_time_ < 60


def test_time_and_data_of_fits_that_go_on(rng):
    X, y = rng.normal(size=(30, 3)), np.arange(30) % 3
    model = network(warm_start=True).fit(X, y)
    first = model.fit_time_
    assert first > 0
    model.fit(X[:20], y[:20])
    assert model.fit_time_ > first
    assert model.data_fingerprint_ == fingerprint(X[:20], y[:20])
    model.partial_fit(X, y)
    assert model.data_fingerprint_ is None
    model.set_params(warm_start=False, max_iter=1).fit(X, y)
    assert model.data_fingerprint_ == fingerprint(X, y)
    for kind in (fastnn.Perceptron, fastnn.LinearNetwork):
        model = kind(max_iter=2, warm_start=True).fit(X, y)
        first = model.fit_time_
        assert model.fit(X, y).fit_time_ > first > 0
        assert model.partial_fit(X, y).data_fingerprint_ is None


@pytest.mark.parametrize("kind", MODELS)
def test_a_card_of_every_kind(kind, tmp_path):
    model = MODELS[kind][0]
    model.save(tmp_path / "m")
    loaded, saved = persistence.load_with_card(tmp_path / "m")
    assert saved.keys() >= {"fastnn", "python", "numpy", "scikit-learn", "system", "time"}
    assert loaded.data_fingerprint_ == model.data_fingerprint_
    assert loaded.fit_time_ == model.fit_time_
    card = card_of(loaded, saved)
    assert card["training"]["back end"] == "python"
    assert card["training"]["epochs"] == 2
    assert card["data"]["X"]["shape"] == [24, 4]
    assert json.loads(json.dumps(card)) == card
    printed = CliRunner().invoke(main, ["show", str(tmp_path / "m")])
    assert printed.exit_code == 0
    assert printed.output == text_of(loaded, saved) + "\n"
    as_json = CliRunner().invoke(main, ["show", "--json", str(tmp_path / "m")])
    assert json.loads(as_json.output)["saved_by"] == saved


def test_an_older_file_has_less_to_say(tmp_path):
    content, tensors = hostile.take_apart(MODELS["Adam"][0], tmp_path / "m")
    del content["saved_by"], content["values"]["fit_time_"], content["values"]["data_fingerprint_"]
    hostile.write(tmp_path / "m", content, tensors)
    model, saved = persistence.load_with_card(tmp_path / "m")
    assert saved == {}
    assert "data" not in card_of(model, saved)
    assert "seconds" not in card_of(model, saved)["training"]
    assert "saved by" not in text_of(model, saved)
    _, X, y = MODELS["Adam"]
    assert model.set_params(warm_start=True).fit(X, y).fit_time_ > 0


LIES = {
    "saved_by": [
        "x",
        ["x"],
        {"a": 1},
        {"a": "x" * 101},
        {"a": "\x1b[2J"},
        {"\n": "x"},
        {str(i): "" for i in range(21)},
    ],
    "fit_time_": [-1.0, float("inf"), float("nan"), 1, "1"],
    "data_fingerprint_": [{}, {"mapping": []}, {"mapping": [["X", None], ["y", None]]}, 3],
}


@pytest.mark.parametrize(("name", "lie"), [(name, lie) for name in LIES for lie in LIES[name]])
def test_a_card_that_lies(name, lie, tmp_path):
    content, tensors = hostile.take_apart(MODELS["Adam"][0], tmp_path / "m")
    place = (name,) if name == "saved_by" else ("values", name)
    hostile.write(tmp_path / "m", hostile.changed(content, place, lie), tensors)
    with pytest.raises(fastnn.CheckpointError, match="not a model of fastnn"):
        fastnn.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("shape", {"tuple": [24, 5]}),
        ("shape", {"tuple": [-1, 4]}),
        ("shape", [24, 4]),
        ("dtype", "a b"),
        ("dtype", "\x1b[2J"),
        ("sha256", "0" * 63),
        ("sha256", "g" * 64),
    ],
)
def test_a_fingerprint_that_lies(part, value, tmp_path):
    content, tensors = hostile.take_apart(MODELS["Adam"][0], tmp_path / "m")
    (_, of_x), _ = content["values"]["data_fingerprint_"]["mapping"]
    of_x["mapping"] = [[name, value if name == part else v] for name, v in of_x["mapping"]]
    hostile.write(tmp_path / "m", content, tensors)
    with pytest.raises(fastnn.CheckpointError, match="data_fingerprint_"):
        fastnn.load(tmp_path / "m")


def test_a_file_cannot_write_to_the_terminal(tmp_path):
    content, tensors = hostile.take_apart(MODELS["Adam"][0], tmp_path / "m")
    for name in ("backend_", "stop_reason_"):
        content["values"][name] = "\x1b[2J"
    content["values"]["classes_"]["array"] = ["\x1b[1m", "bee", "cow"]
    hostile.write(tmp_path / "m", content, tensors)
    printed = CliRunner().invoke(main, ["show", str(tmp_path / "m")])
    assert printed.exit_code == 0
    assert "\x1b" not in printed.output
    assert "\\x1b[2J" in printed.output


def test_show_refuses(tmp_path):
    (tmp_path / "m").write_text("nothing")
    result = CliRunner().invoke(main, ["show", str(tmp_path / "m")])
    assert result.exit_code == 1
    assert "not a whole safetensors file" in result.output
    result = CliRunner().invoke(main, ["show", str(tmp_path / "none")])
    assert "there is no such file" in result.output


def test_what_a_file_says_can_be_read_without_fastnn(tmp_path):
    network().fit(np.eye(3), [0, 1, 2]).save(tmp_path / "m")
    with safe_open(tmp_path / "m", "np") as file:
        content = json.loads(file.metadata()["content"])
    assert content["saved_by"]["numpy"] == np.__version__


def test_summary_of_single_layers(rng, capsys):
    X = rng.normal(size=(20, 3))
    fastnn.Perceptron(max_iter=2).fit(X, np.arange(20) % 4).summary()
    assert "output  (None, 4)     sign                        3 x 4 + 4" in capsys.readouterr().out
    fastnn.LinearNetwork(max_iter=2).fit(X, X[:, 0]).summary()
    assert "parameters: 4 (float64, 32 B)" in capsys.readouterr().out

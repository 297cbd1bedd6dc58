"""Callbacks that write for TensorBoard and MLflow, read back by these."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import fastnn


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 4))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def network(**changes):
    given = {"max_iter": 4, "tol": None, "random_state": 0, "batch_size": 10, "verbose": False}
    return fastnn.MLPClassifier((6,), **{**given, **changes})


def curves(folder):
    module = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = module.EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(e.step, e.tensor_proto.float_val[0]) for e in events.Tensors(tag)]
        for tag in events.Tags()["tensors"]
    }


def test_tensorboard(data, tmp_path):
    pytest.importorskip("tensorboard")
    X, y = data
    board = fastnn.TensorBoard(tmp_path / "logs", accuracy=True)
    model = network().fit(X[:40], y[:40], callbacks=[board], validation_data=(X[40:], y[40:]))
    history = model.history_
    train, validation = (curves(tmp_path / "logs" / run) for run in ("train", "validation"))
    assert train.keys() == {"epoch_loss", "epoch_accuracy", "epoch_learning_rate"}
    assert [step for step, _ in train["epoch_loss"]] == [1, 2, 3, 4]
    assert np.allclose([v for _, v in train["epoch_loss"]], history["loss"], rtol=1e-6)
    assert np.isclose(train["epoch_accuracy"][-1][1], model.score(X[:40], y[:40]))
    assert np.allclose([v for _, v in validation["epoch_loss"]], history["val_loss"], rtol=1e-6)
    assert np.allclose([v for _, v in validation["epoch_accuracy"]], history["val_accuracy"])


def test_tensorboard_of_a_regression_now_and_then(data, tmp_path):
    pytest.importorskip("tensorboard")
    X, _ = data
    model = fastnn.MLPRegressor((3,), max_iter=7, tol=None, verbose=False)
    model.fit(X, X[:, 0], callbacks=[fastnn.TensorBoard(tmp_path, every=3, accuracy=True)])
    found = curves(tmp_path / "train")
    assert [step for step, _ in found["epoch_score"]] == [3, 6]
    assert not (tmp_path / "validation").exists()


@pytest.mark.parametrize("name", ["TensorBoard", "MLflow"])
def test_what_is_missing_is_said_before_any_work(data, name, monkeypatch):
    for module in ("tensorboard.summary", "mlflow"):
        monkeypatch.setitem(sys.modules, module, None)
    model = network()
    with pytest.raises(ImportError, match=rf"pip install 'fastnn\[{name.lower()}\]'"):
        model.fit(*data, callbacks=[getattr(fastnn, name)()])
    assert not hasattr(model, "params_")


@pytest.mark.parametrize("wrong", [{"every": 0}, {"accuracy": 2}])
@pytest.mark.parametrize("name", ["TensorBoard", "MLflow"])
def test_wrong_arguments(name, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        getattr(fastnn, name)(**wrong)
    with pytest.raises(ValueError, match="log_dir=3"):
        fastnn.TensorBoard(3)


@pytest.fixture
def mlflow(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'runs.db'}")
    return mlflow


def test_a_run_that_cannot_begin_is_ended(data, monkeypatch):
    ended = []

    def refuse(parameters):
        raise OSError("the server is away")

    stand_in = SimpleNamespace(
        active_run=lambda: None,
        start_run=lambda: None,
        log_params=refuse,
        end_run=ended.append,
    )
    monkeypatch.setitem(sys.modules, "mlflow", stand_in)
    model = network()
    with pytest.raises(OSError, match="the server is away"):
        model.fit(*data, callbacks=[fastnn.MLflow()])
    assert ended == ["FAILED"]
    assert not hasattr(model, "params_")


@pytest.mark.slow
def test_mlflow(data, mlflow, tmp_path):
    X, y = data
    model = network()
    model.fit(X, y, callbacks=[fastnn.MLflow(accuracy=True)], validation_data=data)
    run = mlflow.last_active_run()
    assert mlflow.active_run() is None
    assert run.info.status == "FINISHED"
    assert run.data.params["hidden_layer_sizes"] == "(6,)"
    client = mlflow.MlflowClient()
    losses = client.get_metric_history(run.info.run_id, "val_loss")
    assert [m.value for m in losses] == model.history_["val_loss"]
    assert run.data.metrics["accuracy"] == model.score(X, y)
    path = client.download_artifacts(run.info.run_id, "model.safetensors", tmp_path)
    assert np.array_equal(fastnn.load(path).params_, model.params_)
    with mlflow.start_run() as outer:
        network().fit(X, y, callbacks=[fastnn.MLflow(save_model=False)])
        assert mlflow.active_run().info.run_id == outer.info.run_id
    names = [artifact.path for artifact in client.list_artifacts(outer.info.run_id)]
    assert names == ["card.txt"]

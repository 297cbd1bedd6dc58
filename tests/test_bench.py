"""The benchmark suite's own parts: the proof, the report."""

import json
import os
import signal
import sys
from argparse import Namespace
from dataclasses import replace

import pytest

pytest.importorskip("pytest_benchmark")

from fastnn.backends import kernels
from fastnn.bench import landscape, proof, report, run, searches
from fastnn.bench.peers import process
from fastnn.bench.workloads import WORKLOADS, Workload, load

SMALL = Workload("small", "dense", (256, 12, 10), batch_size=8, samples=24)

# A process or a proof for each.
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["xor", "perceptron", "delta-rule"])
def test_back_ends_pass_the_proof(compiled_backend, name):
    assert 0 <= proof.check_backend(WORKLOADS[name], compiled_backend, 2) < 1e-9


@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("task", ["train", "gradient"])
def test_an_error_of_a_thousandth_in_a_gradient_fails(compiled_backend, task, solver, monkeypatch):
    """A wrong result gets no time: here one layer's gradients are 0.1 % too large."""
    workload = replace(SMALL, task=task, solver=solver, learning_rate=0.01)
    assert proof.check_backend(workload, compiled_backend, 1) < 1e-4
    module = kernels(compiled_backend)
    right = module.mlp_loss_gradient

    def wrong(*args):
        loss, gradient = right(*args)
        gradient[-130:] *= 1.001
        return loss, gradient

    monkeypatch.setattr(module, "mlp_loss_gradient", wrong)
    proof._gradient.cache_clear()
    with pytest.raises(proof.WrongResult, match="gradients differ from plain Python's"):
        proof.check_backend(workload, compiled_backend, 1)
    proof._gradient.cache_clear()


def test_a_peer_with_another_result_fails():
    good = proof._expected(SMALL, 1)
    assert proof.check_peer(SMALL, "numpy", good * 1.01, 1) == pytest.approx(0.01)
    with pytest.raises(proof.WrongResult, match="small by numpy: got"):
        proof.check_peer(SMALL, "numpy", good * 1.2, 1)
    with pytest.raises(proof.WrongResult, match="got nan"):
        proof.check_peer(SMALL, "numpy", float("nan"), 1)


@pytest.mark.parametrize("loss", ["crossentropy", "half_squared_error"])
def test_few_samples_show_every_class(loss):
    workload = replace(SMALL, samples=10, loss=loss)
    X, y = load(workload)
    assert X.shape == (10, 256)
    assert sorted(y) == list(range(10))


def test_report(tmp_path):
    def row(peer, median, group="xor", **extra):
        stats = {"median": median, "min": median * 0.9, "max": median * 1.2, "rounds": 3}
        info = {"peer": peer, "sample_epochs": 1000, "gflops": 2.0, "cpu": "a CPU", "threads": 2}
        info |= {"difference_from_python": 1e-10, "versions": {"numpy": "2"}, **extra}
        return {"group": group, "stats": stats, "extra_info": info}

    rows = [row("python", 3.0), row("cython", 0.002), row("numba", 0.004), row("jax", 0.02)]
    for value in (8, 32):
        for peer in ("cython", "jax"):
            extra = {"scaling": "hidden units", "value": value}
            rows.append(row(peer, value * 1e-4, f"hidden {value}", **extra))
    raw = tmp_path / "benchmark.json"
    raw.write_text(json.dumps({"datetime": "2026-11-24T01:02:03", "benchmarks": rows}))
    report.write_report(raw, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "| xor | 1,500x | 1x | 2x | 10x |" in text
    assert "| cython | 2 | 1.8 to 2.4 | 3 | 1,000 | 1,500 | 10 | 2 | 1e-10 |" in text
    for name in ("speed.png", "scaling.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    raw.write_text("{}")
    with pytest.raises(ValueError, match="not the JSON of pytest-benchmark"):
        report.write_report(raw, tmp_path)


def test_without_a_gpu_the_comparison_on_it_says_so(monkeypatch):
    """Peers that are missing are skipped with a line that has the reason."""
    from fastnn.bench.peers import paired

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(paired, "GPU_PEERS", ("jax",))
    row = paired.compare("xor", 1, 1, gpu=True)
    assert list(row.missing) == ["numba-cuda", "jax"]
    assert not row.runs


def test_workloads_are_known():
    for names, paired, gpu in [((), False, False), (("xor", "hidden"), False, False)]:
        run.check_workloads(names, paired, gpu)
    run.check_workloads(("xor-many", "threads", "narrow"), True, False)
    for name, paired, gpu in [("", False, False), ("xo", True, False), ("threads", True, True)]:
        with pytest.raises(ValueError, match="workload: there is no"):
            run.check_workloads((name,), paired, gpu)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a signal from the child")
def test_ctrl_c_ends_the_suite_once_and_by_us(tmp_path):
    """It is passed on to pytest, which writes down what it has."""
    program = f"""
import os, pathlib, signal, time
try:
    os.kill({os.getpid()}, signal.SIGINT)
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path("heard").touch()
"""
    assert run._run([sys.executable, "-c", program], str(tmp_path)) is None
    assert (tmp_path / "heard").exists()


@pytest.mark.slow
def test_ctrl_c_ends_the_paired_comparison(monkeypatch, tmp_path):
    """Its processes end with it, in the midst of their work, and say nothing."""
    peers, ask = [], process.Peer._ask

    def interrupted(peer, **question):
        peers.append(peer)
        if "run" in question:
            print(json.dumps({"run": 60.0}), file=peer._process.stdin, flush=True)
            signal.raise_signal(signal.SIGINT)
        return ask(peer, **question)

    monkeypatch.setattr(process.Peer, "_ask", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.run_paired(tmp_path, quick=False, n_threads=1, workloads=("xor",), rounds=1)
    assert peers
    assert all(peer._process.returncode is not None for peer in peers)


@pytest.mark.filterwarnings("ignore")
def test_searches_over_the_same_networks_find_the_same():
    few = Namespace(candidates=18, folds=2, epochs=2, dtype="float64")  # enough for lanes
    cells = searches.row("breast cancer", few).strip("| ").split(" | ")
    assert cells[0] == "breast cancer"
    assert cells[-1] == "0"
    assert len(cells) == 8


def test_landscape_is_drawn(tmp_path, monkeypatch, capsys):
    out = tmp_path / "landscape.png"
    arguments = ["landscape.py", "--networks", "6", "--epochs", "2", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    landscape.main()
    assert out.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.startswith("6 networks in")

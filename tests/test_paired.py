"""The paired comparison's logic, with peers that only pretend: nothing is timed."""

import importlib.util
import os

import numpy as np
import pytest

pytest.importorskip("pytest_benchmark")

from fastnn import datasets
from fastnn.bench import paired_report, report, run, test_speed, words, workloads
from fastnn.bench.paired_report import Setting
from fastnn.bench.peers import paired, spinning, worker
from fastnn.bench.peers.paired import Pair, Row
from fastnn.bench.peers.process import Missing
from fastnn.bench.workloads import ROWS, SMALL_MNIST, WORKLOADS, load, smaller

SETTING = Setting("2026-11-25", "a machine", 3, 2)


class Pretender:
    """A peer whose times are given: Numba takes twice what Cython takes, and so on."""

    seconds = {"cython": 1.0, "numba": 2.0, "sklearn": 3.0}  # noqa: RUF012

    def __init__(self, name, n_threads, environment=None):
        self.name, self.n_threads = name, n_threads

    def prepare(self, workload):
        if self.name == "jax":
            raise Missing("No module named 'jax'")
        return {"versions": {"numpy": "2.0"}}

    def run(self, least_seconds=0.0):
        if self.name == "pytorch":
            raise RuntimeError("pytorch: Traceback\n  ...\nOSError: out of order")
        seconds = self.seconds.get(self.name, 10.0)
        return {"seconds": seconds, "cpu": seconds * self.n_threads, "result": 0.5}

    def close(self):
        pass


@pytest.fixture
def pretend(monkeypatch, tmp_path):
    """Return a function that runs the paired comparison with pretenders."""
    monkeypatch.setattr(paired, "Peer", Pretender)
    monkeypatch.setattr("fastnn.bench.machine.processor", lambda: "a processor")

    def pretend(*names, quick=False, rounds=3, pinned=False):
        status = run.run_paired(
            tmp_path, quick=quick, n_threads=2, workloads=names, rounds=rounds, pinned=pinned
        )
        return status, (tmp_path / "paired.md").read_text()

    return pretend


@pytest.fixture
def no_fashion(monkeypatch):
    def missing():
        raise datasets.DataError("fashion-mnist: found no file\nand more")

    workloads._fashion_mnist.cache_clear()
    monkeypatch.setattr(datasets, "load_fashion_mnist", missing)


def images(n):
    rng = np.random.default_rng(0)
    return rng.integers(256, size=(n, 784), dtype=np.uint8), np.arange(n) % 10


def test_rows_have_names_of_their_own_and_say_what_they_are():
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert "threads" not in WORKLOADS
    assert len({row.about for row in ROWS}) == len(ROWS)
    assert all(row.about.endswith(".") for row in ROWS)


@pytest.mark.parametrize("peer", words.PEERS)
def test_every_peer_has_a_module_and_its_packages(peer):
    name = f"fastnn.bench.peers.with_{peer.replace('-', '_')}"
    assert importlib.util.find_spec(name) is not None
    assert peer in worker.PACKAGES


def test_who_takes_part_is_explained():
    names = {peer for row in ROWS for peer in (*row.at_least, *row.peers)}
    names |= {peer for _, peers, *_ in test_speed.GROUPS.values() for peer in peers}
    assert names <= set(words.PEERS) | set(words.BACKENDS)
    assert names <= set(report.COLORS)


def test_a_group_of_rows_by_its_name():
    narrow = ["narrow-8", "narrow-30", "narrow-nielsen"]
    assert run.rows_named(("narrow",), False) == narrow
    assert run.rows_named(("narrow-8", "xor", "narrow"), False) == ["xor", *narrow]
    assert run.rows_named((), False) == [*WORKLOADS, "threads"]


def test_without_a_data_set_the_other_rows_are_run(pretend, no_fashion, capsys):
    status, text = pretend("fashion-32", "delta-rule", "busy")
    printed = capsys.readouterr().out
    assert status == 0
    assert "delta-rule: 64-1" in printed
    line = "- fashion-32, busy: left out: fashion-mnist: found no file\n"
    assert line in printed
    assert line in text
    assert "\n## delta-rule\n" in text
    assert "## fashion-32" not in text


def test_who_is_missing_or_fails_is_named_and_the_others_go_on(pretend, capsys):
    status, text = pretend("dense-64", "delta-rule")
    printed = capsys.readouterr().out
    assert status == 1
    for shown in (text, printed):
        assert "- jax in dense-64: left out: No module named 'jax'\n" in shown
        assert "- pytorch in dense-64: FAILED: OSError: out of order\n" in shown
    assert "numba against sklearn: 1.5x (1.5-1.5), CPU 1.5x" in printed
    assert "wanted 2.5x: TOO SLOW" in printed


def test_images_that_stand_in_are_said_to(pretend, monkeypatch, capsys):
    monkeypatch.setattr(workloads, "_mnist", lambda: images(5000))
    monkeypatch.setenv(SMALL_MNIST, "1")
    _, text = pretend("narrow-8")
    assert f"**{words.SMALL_MNIST}**" in text
    assert words.SMALL_MNIST in capsys.readouterr().out
    monkeypatch.delenv(SMALL_MNIST)
    assert words.SMALL_MNIST not in pretend("narrow-8")[1]
    assert SMALL_MNIST not in os.environ


@pytest.mark.parametrize("few", [{"quick": True}, {"rounds": 2}])
def test_two_rounds_carry_no_ratio(pretend, few, capsys):
    _, text = pretend("delta-rule", "xor-many", **few)
    for shown in (text, capsys.readouterr().out):
        assert "against sklearn" not in shown
        assert "wanted 20" not in shown
        assert (words.QUICK in shown) == ("quick" in few)
    assert "Cython was the faster" not in text
    assert "| cython | 1 |" in text


def test_pinned_is_one_thread_and_does_without_the_row_on_threads(pretend, capsys):
    _, text = pretend("delta-rule", "threads", pinned=True)
    assert "each process kept on one processor" in text
    assert "CPU        1 s" in capsys.readouterr().out
    assert "- threads: left out: one processor" in text


def test_less_work_is_scaled_and_said(monkeypatch):
    monkeypatch.setattr(paired, "Peer", Pretender)
    monkeypatch.setattr(paired, "LESS", {("xor-many", "numba"): 100})
    row = paired.compare("xor-many", 3, 1)
    assert row.median("numba") == 200.0  # 2 s for 100 epochs of 10,000
    assert row.median("cython") == 1.0
    assert any("numba was timed on 100 epochs" in note for note in row.notes)


def rounds(*seconds):
    return [{"seconds": s, "cpu": 2 * s, "result": 0.25} for s in seconds]


def test_the_text_of_a_row():
    """Ratios are formed round by round: what slows a round down slows both."""
    row = Row("wide", "4-3-2", "A network.")
    row.runs = {"cython": rounds(1, 10, 2), "sgemm": rounds(0.5, 6, 1), "jax": rounds(3, 20, 8)}
    row.pairs = [Pair("sgemm", "cython"), Pair("jax", "cython", 3.5)]
    assert paired_report.row_lines(row) == [
        "wide: 4-3-2",
        "  cython                 2 s  (1-10)  CPU        4 s  result 0.25",
        "  sgemm                  1 s  (0.5-6)  CPU        2 s  result 0.25",
        "  jax                    8 s  (3-20)  CPU       16 s  result 0.25",
        "  cython against sgemm: 50% of sgemm's rate, CPU 50% of sgemm's rate",
        "  cython against jax: 3x (2-4), CPU 3x (2-4); wanted 3.5x: TOO SLOW",
        "",
    ]
    text = paired_report.report([row], SETTING)
    assert "| cython | 2 | 1 to 10 | 4 | 0.25 |" in text
    assert "| cython | jax | 3x (2-4) | 3x (2-4) | 3.5x: TOO SLOW |" in text
    assert "a machine; 2 threads each" in text
    assert f"- jax: {words.PEERS['jax']}" in text


def test_where_rounds_disagree_no_back_end_pays():
    row = Row("a row", runs={"cython": rounds(1, 1, 1), "numba": rounds(2, 0.9, 2)})
    text = paired_report.report([row], SETTING)
    assert "as far as can be told: a row." in text
    row.runs["numba"] = rounds(2, 1.1, 2)
    assert "Cython was the faster of the two in: a row." in paired_report.report([row], SETTING)


def test_which_back_end_pays():
    lines = words.choosing({"a": 1.5, "b": 0.5, "c": 1.01, "d": 2.0})
    assert lines[-3:] == [
        "Cython was the faster of the two in: a, d.",
        "Numba was the faster of the two in: b.",
        "As fast as each other, as far as can be told: c.",
    ]
    assert len(words.choosing({})) == len(words.BACKENDS)


@pytest.mark.parametrize("quick", [True, False])
def test_the_suite_s_report_of_a_quick_run_has_no_ratios(quick):
    def found(peer, median):
        info = {"peer": peer, "sample_epochs": 100, "gflops": 1.0, "difference_from_python": None}
        info |= {"quick": quick, "about": "A network.", "what": "4-3-2, relu"}
        stats = {"median": median, "min": median, "max": median, "rounds": 2}
        return report.row_of({"group": "wide", "extra_info": info, "stats": stats})

    rows = [found("cython", 2.0), found("sgemm", 1.0), found("jax", 8.0)]
    text = report.report(rows, {"datetime": "2026-11-25"})
    assert (words.QUICK in text) == quick
    assert "A network. 4-3-2." in text
    assert ("Cython is faster" in text) != quick
    assert ("of sgemm's rate" in text) != quick
    if not quick:
        assert "| wide | 1x | 4x |" in text
        assert "| cython | 20,000 | 20,000 to 20,000 | 2 | 100 |  | 4 | 1 |  | 50% |" in text


def test_a_worker_takes_both_times():
    calls = []
    found = worker.measure(lambda: calls.append(sum(range(10_000))) or 1.0, 0.01)
    assert found["result"] == 1.0
    assert found["seconds"] > 0
    assert found["cpu"] >= 0
    assert len(calls) > 1


def test_spinning_processes_end():
    with spinning.spinning(2) as processes:
        assert all(process.poll() is None for process in processes)
    assert len(processes) == 2
    assert all(process.poll() is not None for process in processes)


def test_texts_are_compressed_rows():
    X, y = load(WORKLOADS["text"])
    assert X.format == "csr"
    assert X.shape == (4000, 20_000)
    assert X.nnz < 0.005 * X.shape[0] * X.shape[1]
    few = load(smaller(WORKLOADS["text"], 40))
    assert few[0].shape[0] == 40
    assert len(set(few[1])) == 20 == len(set(y))

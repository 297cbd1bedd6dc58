"""Programs for scikit-learn, with its networks and with ours: see bench/side_by_side.py."""

import math
import sys

import pytest
import sklearn
from sklearn.utils.fixes import parse_version

from fastnn.bench import searches, side_by_side
from fastnn.bench.side_by_side import PROGRAMS, run, source_of

is_recent = parse_version(sklearn.__version__) >= parse_version("1.7")


def test_there_are_ten_and_one_line_is_another():
    assert len(PROGRAMS) >= 10
    for name in PROGRAMS:
        theirs, ours = (source_of(name, ours).splitlines() for ours in (False, True))
        changed = [line for line, other in zip(ours, theirs, strict=True) if line != other]
        assert len(changed) == 1
        assert changed[0].startswith("from fastnn import")


@pytest.mark.parametrize("program", [side_by_side, searches])
def test_the_help_lists_names_only(program, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["program", "--help"])
    with pytest.raises(SystemExit):
        program.main()
    assert "[]" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("program", "all_names"), [(side_by_side, PROGRAMS), (searches, searches.TABLES)]
)
def test_without_names_all_are_measured(program, all_names, monkeypatch, capsys):
    monkeypatch.setattr(program, "row", lambda name, *chosen: f"| {name} |")
    monkeypatch.setattr(searches, "measure", lambda *arguments: None)
    for names in ([], [next(iter(all_names))]):
        monkeypatch.setattr(sys, "argv", ["program", *names])
        program.main()
        printed = capsys.readouterr().out.splitlines()
        assert printed[2:] == [f"| {name} |" for name in names or all_names]
    monkeypatch.setattr(sys, "argv", ["program", "no such name"])
    with pytest.raises(SystemExit):
        program.main()
    assert "'no such name': expected one of" in capsys.readouterr().err


@pytest.mark.skipif(not is_recent, reason="networks take weights of samples from 1.7 on")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_with_both_imports(name):
    """The scores are near each other: how near, and why not nearer, needs more seeds."""
    theirs, ours = run(name, False), run(name, True)
    assert math.isfinite(theirs)
    assert ours == pytest.approx(theirs, abs=0.2)

"""Patterns of checkpoints: what can be written is found again, or refused."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastnn
from fastnn.persistence import checkpoints, step_of


def test_names_of_checkpoints(tmp_path):
    pattern = str(tmp_path / "m-{epoch:03d}.st")
    for name in ("m-001.st", "m-012.st", "m-1000.st", "m-12.st", "m-x.st", "M-002.st", "m-٠٠٣.st"):
        (tmp_path / name).touch()
    (tmp_path / "m-004.st").mkdir()
    assert [p.name for p in checkpoints(pattern)] == ["m-001.st", "m-012.st", "m-1000.st"]
    assert fastnn.latest_checkpoint(pattern).name == "m-1000.st"
    assert fastnn.latest_checkpoint(tmp_path / "none-{epoch}") is None
    assert fastnn.latest_checkpoint(tmp_path / "no folder" / "{epoch}") is None


TAKEN = (
    *("{epoch}", "{epoch:}", "{epoch:d}", "{epoch:0}", "{epoch:04}", "{epoch:04d}", "{epoch:099d}"),
    *("a{{b}}{epoch}.st", "{epoch}{{epoch}}", "[ab]*?{epoch}", "1{epoch}2", "a/../b{epoch}"),
    *("folder [1]/{{x}}/m{epoch}.st", "./{epoch}", "UPPER{epoch}.ST", "ü{epoch}", "%d{epoch}"),
)
REFUSED = (
    *("{epoch:+04d}", "{epoch:x}", "{epoch:X}", "{epoch:b}", "{epoch:,}", "{epoch:_}", "{epoch:n}"),
    *("{epoch!r}", "{epoch!s:>5}", "{epoch:4d}", "{epoch: d}", "{epoch:<4}", "{epoch:e}"),
    *("{epoch:/>4}", "{epoch:0100d}", "{epoch:{epoch}}", "{epoch.real}", "{epoch[0]}", "{Epoch}"),
    *("{epoch:04d}{epoch}", "{epoch}/m.st", "run{epoch}/m{epoch}.st", "{name}/{epoch}", "{}"),
    *("{{epoch}}", "{epoch", "epoch}", "m.st", "", "{epoch}\0", "{ epoch}", "{epoch}/"),
)


@pytest.mark.parametrize("pattern", TAKEN)
def test_patterns_that_are_found_again(pattern, tmp_path):
    pattern = f"{tmp_path}/{pattern}"
    for epoch in (3, 12, 100_000):
        path = pattern.format(epoch=epoch)
        assert step_of(pattern, path) == epoch
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / path).touch()
    assert [step_of(pattern, str(path)) for path in checkpoints(pattern)] == [3, 12, 100_000]


@pytest.mark.parametrize("pattern", REFUSED)
def test_patterns_that_are_refused(pattern):
    for function in (lambda: step_of(pattern, "m"), lambda: fastnn.ModelCheckpoint(pattern)):
        with pytest.raises(ValueError, match="path_pattern="):
            function()


@given(st.text(alphabet="{}epoch:!0123456789dxr+,_/ .", max_size=14), st.integers(0, 10**6))
def test_any_pattern_is_refused_or_read_back(middle, epoch):
    for pattern in (middle, f"{middle}{{epoch}}", f"{{epoch}}{middle}"):
        is_taken = True
        try:
            step_of(pattern, "m")
        except ValueError:
            is_taken = False
        if is_taken:
            assert [f for _, f, _, _ in string.Formatter().parse(pattern) if f] == ["epoch"]
            assert step_of(pattern, pattern.format(epoch=epoch)) == epoch


@given(st.text(max_size=20))
def test_any_name_is_read_or_not_of_the_pattern(name):
    epoch = step_of("m{epoch:02d}", name)
    assert epoch is None or name.endswith(f"m{epoch:02d}")

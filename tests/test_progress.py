"""The progress bar."""

import os
import sys
import time

import pytest

from fastnn.progress import progress_bar


def test_a_terminal_without_a_size_has_a_bar(monkeypatch):
    own, other = pytest.importorskip("pty").openpty()  # of 0 columns
    os.set_blocking(own, False)
    with open(other, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress_bar(10, 1) as bar:
            time.sleep(0.6)
            bar.update(5)
        assert b"50%" in os.read(own, 4096)
    os.close(own)

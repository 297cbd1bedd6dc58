"""Whether somebody looks: what takes long then says so."""

import sys


def is_watched() -> bool:
    """Say whether somebody sees what is written to stderr: a terminal's or a notebook's user."""
    if sys.stderr is not None and sys.stderr.isatty():
        return True
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None

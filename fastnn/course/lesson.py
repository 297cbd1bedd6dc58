"""What a system prints and draws, kept for the report."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..files import write_file
from ..progress import write_line
from .fonts import font_settings
from .phrases import line, phrase, translate_figure


class Lesson:
    """The stage of one system.

    Parameters
    ----------
    folder : path or None
        Where its pictures and checkpoints go; None keeps nothing.
    seed : int
    quick : bool
        Whether to train on little data for few epochs, to see that it works.
    show : bool
        Whether to open a window per picture.
    silent : bool
        Whether to print nothing.
    language : {"en", "zh"}
        Of output and pictures; the pictures stay English if there is no font for it.

    Attributes
    ----------
    lines : list of str
        What was printed.
    figures : list of path
        Pictures saved.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        seed: int = 0,
        quick: bool = False,
        show: bool = False,
        silent: bool = False,
        language: str = "en",
    ):
        self.folder, self.seed, self.quick, self.language = folder, seed, quick, language
        self._show, self._silent = show, silent
        self.lines: list[str] = []
        self.figures: list[Path] = []

    def print(self, *values: Any) -> None:
        """Print as `print` does, and keep it."""
        text = line(" ".join(map(str, values)), self.language)
        self.lines.append(text)
        if not self._silent:
            write_line(text)  # also while a bar is shown

    def epochs(self, full: int, quick: int) -> int:
        """Return how many epochs to train."""
        return quick if self.quick else full

    @contextmanager
    def figure(self, name: str, rows: int = 1, columns: int = 1, **options: Any) -> Iterator[Any]:
        """Give the axes of a new picture (an array of them if several); save it at the end.

        `options` go to Matplotlib's `subplots`.
        """
        import matplotlib

        if not self._show:
            matplotlib.use("agg")
        from matplotlib import pyplot

        size = (min(4.8 * columns, 13), 3.6 * rows)
        settings = font_settings(self.language)
        with matplotlib.rc_context(settings):
            figure, axes = pyplot.subplots(
                rows, columns, **{"figsize": size, "layout": "constrained", **options}
            )
            try:
                yield axes
                if settings:
                    translate_figure(figure, self.language)
                self._keep(figure, name)
                if self._show:
                    pyplot.show()
            finally:
                pyplot.close(figure)

    def _keep(self, figure: Any, name: str) -> None:
        """Save a picture, if there is a folder for it."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path, picture = self.folder / f"{name}.png", io.BytesIO()
        figure.savefig(picture, dpi=110)
        write_file(path, picture.getvalue())
        self.figures.append(path)
        if not self._silent:
            print(f"{phrase('picture', self.language)}: {path}", file=sys.stderr)

"""Programs and pictures in another language: phrases of a table for the English ones.

A program keeps its code; its comments, docstrings and strings are replaced where the table has
them. What is shown is what runs.
"""

import io
import re
import tokenize
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

_PREFIX_AND_QUOTES = re.compile(r"""([A-Za-z]*)('''|\"""|'|\")(.*)\2""", re.DOTALL)


class Piece:
    """A comment or a string of a program: where it stands, and its first line, the table's key."""

    def __init__(self, text: str, start: int, end: int):
        self.start, self.end = start, end
        quoted = None if text.startswith("#") else _PREFIX_AND_QUOTES.fullmatch(text)
        self.before, content, self.after = "# ", text[1:].strip(), ""
        if quoted is not None:
            prefix, quotes, content = quoted.groups()
            self.before, self.after = prefix + quotes, quotes
        self.key = content.split("\n")[0]


@cache
def table(language: str) -> dict[str, dict[str, str]]:
    """Return the phrases of a language, by program or place and English phrase."""
    if language == "en":
        return {}
    file = resources.files(__package__).joinpath("texts", f"phrases.{language}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def phrase(text: str, language: str) -> str:
    """Return what a picture says, in a language; itself where the table does not have it."""
    words = table(language).get("pictures", {})
    if text in words:
        return words[text]
    label = re.fullmatch(r"(class|rate) (.+)", text)  # of plotting.points, and of a live picture
    return f"{words[label[1]]} {label[2]}" if label and label[1] in words else text


def line(text: str, language: str) -> str:
    """Return what was printed, in a language, as far as the table has phrases of it."""
    for english, other in table(language).get("lines", {}).items():
        text = re.sub(rf"(?<!\w){re.escape(english)}(?!\w)", other, text)
    return text


def translated(source: str, place: str, language: str, pictures: bool = True) -> str:
    """Return a program with the comments and strings of a language.

    Parameters
    ----------
    place : str
        The table of its phrases.
    pictures : bool
        Whether what stands in pictures is translated, too.
    """
    own = table(language).get(place, {})
    words = {**table(language).get("pictures", {}), **own} if pictures else own
    out, at = "", 0
    for piece in pieces(source):
        is_file = source.endswith("figure(", 0, piece.start)  # the name of a picture's file
        if piece.key in words and not is_file:
            out += source[at : piece.start] + piece.before + words[piece.key] + piece.after
            at = piece.end
    return out + source[at:]


def pieces(source: str) -> Iterator[Piece]:
    """Yield the comments and strings of a program, in order."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    depth, begin = 0, 0
    opening = getattr(tokenize, "FSTRING_START", None)  # from Python 3.12 on
    closing = getattr(tokenize, "FSTRING_END", None)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        first = starts[token.start[0] - 1] + token.start[1]
        last = starts[token.end[0] - 1] + token.end[1]
        if opening is not None and token.type == opening:
            begin = begin if depth else first
            depth += 1
        elif closing is not None and token.type == closing:
            depth -= 1
            if not depth:
                yield Piece(source[begin:last], begin, last)
        elif not depth and token.type in (tokenize.STRING, tokenize.COMMENT):
            yield Piece(source[first:last], first, last)


def translate_figure(figure: Any, language: str) -> None:
    """Replace the texts of a Matplotlib figure."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        if text.get_text():
            text.set_text(phrase(text.get_text(), language))

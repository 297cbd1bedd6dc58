"""Markdown with LaTeX to HTML with MathML, and LaTeX alone."""

from functools import cache
from typing import Any
from xml.etree import ElementTree

_SPACE = "http://www.w3.org/1998/Math/MathML"
_WITH_LIMITS = ("\u2211", "lim", "max")  # in a formula of its own, limits stand above and below
ElementTree.register_namespace("", _SPACE)


def math(tex: str, block: bool = False) -> str:
    """Return a formula as MathML."""
    from latex2mathml.converter import convert

    made = convert(tex, display="block" if block else "inline")
    if not block:
        return made
    root = ElementTree.fromstring(made)
    for element in root.iter():  # the converter forgets it for lim, and within brackets
        kind = element.tag.removeprefix(f"{{{_SPACE}}}")
        if kind in ("msub", "msubsup") and element[0].text in _WITH_LIMITS:
            element.tag = f"{{{_SPACE}}}" + ("munder" if kind == "msub" else "munderover")
    return ElementTree.tostring(root, encoding="unicode")


def markdown(text: str) -> str:
    """Return a text as HTML; what stands between dollars is a formula. HTML in it is escaped."""
    return _parser().render(text)


def inline(text: str) -> str:
    """Return a line of text as HTML, without a paragraph around it."""
    return _parser().renderInline(text)


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    def render(tex: str, options: dict[str, bool]) -> str:
        block = options["display_mode"]
        made = math(tex.strip(), block)
        return f'<div class="formula">{made}</div>' if block else made

    parser = MarkdownIt("commonmark", {"html": False})
    return parser.use(dollarmath_plugin, renderer=render, allow_digits=True, double_inline=False)

"""Markdown with LaTeX to HTML with MathML, and LaTeX alone."""

import re
from functools import cache
from typing import Any
from xml.etree import ElementTree

_SPACE = "{http://www.w3.org/1998/Math/MathML}"
_WITH_LIMITS = ("\u2211", "lim", "max")  # in a formula of its own, limits stand above and below
ElementTree.register_namespace("", _SPACE[1:-1])


def math(tex: str, block: bool = False) -> str:
    """Return a formula as MathML."""
    from latex2mathml.converter import convert

    root = ElementTree.fromstring(convert(tex, display="block" if block else "inline"))
    for element in root.iter():
        kind = element.tag.removeprefix(_SPACE)
        if kind in ("msub", "msubsup") and block and element[0].text in _WITH_LIMITS:
            # The converter forgets it for lim, and within brackets.
            element.tag = _SPACE + ("munder" if kind == "msub" else "munderover")
        elif kind == "msup" and element[1].text == "\u2032":  # a prime is a raised sign by itself
            element.tag, element[1].tag = _SPACE + "mrow", _SPACE + "mo"
            element[1].attrib.update(lspace="0", rspace="0")
    return ElementTree.tostring(root, encoding="unicode")


def markdown(text: str) -> str:
    """Return a text as HTML; what stands between dollars is a formula. HTML in it is escaped."""
    return _keep_stops(_parser().render(text))


def inline(text: str) -> str:
    """Return a line of text as HTML, without a paragraph around it."""
    return _keep_stops(_parser().renderInline(text))


def _keep_stops(html: str) -> str:
    """Keep a stop on the line of the formula before it."""
    formula = r'<span class="math inline">(?:(?!</span>).)*</span>'
    return re.sub(
        rf"({formula}[-.,;:?!)。，；：？！）、”]+)", r'<span class="whole">\1</span>', html
    )


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

"""The parts of a lesson as HTML, alike on the site and in the report."""

from html import escape

from .drawings import drawing
from .lesson_texts import Block, formulas
from .markup import markdown, math
from .phrases import translated
from .play import play
from .snippets import place, snippet


def blocks(parts: list[Block], language: str, words: dict) -> str:
    """Return text, formulas and drawings of a section."""
    out = ""
    for part in parts:
        if part.kind == "text":
            out += markdown(part.content)
        elif part.kind == "formula":
            out += formula_group(part.names, language, words)
        else:
            svg = drawing(part.content, words["drawings"])
            caption = escape(words["drawings"][part.content])
            out += f'<figure class="drawing">{svg}<figcaption>{caption}</figcaption></figure>'
    return out


def formula_group(numbers: list[str], language: str, words: dict) -> str:
    """Return formulas with their names and numbers, and the loops that compute them."""
    rows = "".join(_numbered(number, language) for number in numbers)
    loops = dict.fromkeys(loop(number, language) for number in numbers)
    codes = "".join(f"<pre><code>{escape(code)}</code></pre>" for code in loops if code)
    if not codes:
        return f'<div class="formulas">{rows}</div>'
    label = escape(words["report"]["loop"])
    return (
        f'<div class="pair"><div class="formulas">{rows}</div>'
        f'<div class="loop" role="group" aria-label="{label}"><p>{label}</p>{codes}</div></div>'
    )


def _numbered(number: str, language: str) -> str:
    row = formulas()[number]
    return (
        f'<div class="numbered"><p>{escape(row.names[language])}</p><div class="formula">'
        f'{math(row.tex, block=True)}</div><span class="number">({row.shown})</span></div>'
    )


def loop(number: str, language: str) -> str:
    """Return the lines of the python back end that compute a formula, "" if there are none.

    Above them stand their file and function.
    """
    if not snippet(number):
        return ""
    return f"# {place(number)}\n{translated(snippet(number), 'python', language)}"


def worked(name: str, language: str) -> str:
    """Return the worked steps of a lesson, as a list."""
    rows = ""
    for step in play(name).worked():
        label = ""
        if step.number:
            row = formulas()[step.number]
            label = f"<p>{escape(row.names[language])} <span>({row.shown})</span></p>"
        rows += f'<li>{label}<div class="formula">{math(step.tex, block=True)}</div></li>'
    return f'<ol class="worked">{rows}</ol>'

"""The appendix of the report: every formula, as the table of the kernels' formulas has it."""

from html import escape

from ..backends.codes import ACTIVATIONS, LOSSES, OPTIMIZERS
from ..backends.rows import Activation, Loss, UpdateRule


def appendix(words: dict[str, str]) -> str:
    """Return the section of all activations, losses and optimizers, in a language's words."""
    tables = "".join(
        f"<h3>{escape(words[kind])}</h3>{_table(rows, words)}"
        for kind, rows in (
            ("activations", ACTIVATIONS),
            ("losses", LOSSES),
            ("optimizers", OPTIMIZERS),
        )
    )
    return (
        f'<section id="appendix"><h2>{escape(words["title"])}</h2>'
        f"<p>{escape(words['text'])}</p>{tables}</section>"
    )


def _table(rows: tuple[Activation | Loss | UpdateRule, ...], words: dict[str, str]) -> str:
    from latex2mathml.converter import convert

    columns = ["name", "formula", "derivative", "source"]
    if not isinstance(rows[0], Activation):
        columns.remove("derivative")
    head = "".join(f"<th>{escape(words[column])}</th>" for column in columns)
    body = ""
    for row in rows:
        cells = [_name(row), convert(row.tex), escape(row.source)]
        if isinstance(row, Activation):
            cells.insert(2, convert(row.derivative))
        body += f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
    return f'<div class="table"><table><tr>{head}</tr>{body}</table></div>'


def _name(row: Activation | Loss | UpdateRule) -> str:
    """Return the name, other names and parameters of a formula."""
    notes = list(row.aliases)
    if isinstance(row, UpdateRule):
        notes += row.parameters
    elif row.parameter is not None:
        notes.append(f"{row.parameter.name} = {row.parameter.default:g}")
    small = f"<small>{escape(', '.join(notes))}</small>" if notes else ""
    return f"<code>{escape(row.name)}</code>{small}"

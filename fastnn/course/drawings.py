"""Drawings of neuron, perceptron and networks, as SVG without a name space of their own.

They take the page's colours (`currentColor`), and their words from the language's texts.
"""

from collections.abc import Callable
from html import escape
from itertools import pairwise


def drawing(name: str, words: dict[str, str]) -> str:
    """Return a drawing as an SVG element; `words` are its labels in a language."""
    width, height, body = DRAWINGS[name](words)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-label="{escape(words[name])}" '
        'fill="none" stroke="currentColor" stroke-width="1.6" '
        'font-family="system-ui, Noto Sans CJK SC, sans-serif" font-size="15">'
        f"<title>{escape(words[name])}</title>{body}</svg>"
    )


def _text(x: float, y: float, text: str, size: int = 15, anchor: str = "middle") -> str:
    """Return a label; a part after _ or ^ of one letter or bracketed is set low or high."""
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="currentColor" stroke="none">{_scripts(text)}</text>'
    )


def _scripts(text: str) -> str:
    """Return tspans: `w^1_{ij}` gets its indices."""
    out, i, shift = "", 0, 0.0
    while i < len(text):
        if text[i] in "_^":
            low, i = text[i] == "_", i + 1
            if text[i] == "{":
                end = text.index("}", i)
                part, i = text[i + 1 : end], end + 1
            else:
                part, i = text[i], i + 1
            level = 4.0 if low else -6.0
            out += f'<tspan font-size="0.7em" dy="{level - shift:g}">{escape(part)}</tspan>'
            shift = level
        else:
            back = f' dy="{-shift:g}"' if shift else ""
            out += f"<tspan{back}>{escape(text[i])}</tspan>"
            shift, i = 0.0, i + 1
    return out


def _unit(x: float, y: float, label: str, r: float = 20) -> str:
    return f'<circle cx="{x}" cy="{y}" r="{r}"/>' + _text(x, y + 5, label)


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return a line with a head, ending at (x2, y2)."""
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    u, v = (x2 - x1) / length, (y2 - y1) / length
    left = x2 - 9 * u - 4 * v, y2 - 9 * v + 4 * u
    right = x2 - 9 * u + 4 * v, y2 - 9 * v - 4 * u
    head = f"{x2:.1f},{y2:.1f} {left[0]:.1f},{left[1]:.1f} {right[0]:.1f},{right[1]:.1f}"
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2 - 5 * u:.1f}" y2="{y2 - 5 * v:.1f}"/>'
        f'<polygon points="{head}" fill="currentColor" stroke="none"/>'
    )


def _neuron(words: dict[str, str]) -> tuple[int, int, str]:
    """Return a nerve cell: dendrites on the left, the body, the axon to the right."""
    dendrites = (
        "M150 110 C120 80 100 70 60 60 M105 78 C95 60 90 50 75 30 M150 120 C110 115 90 120 40 115"
        " M95 117 C80 130 70 135 50 145 M150 135 C120 150 105 165 85 195 M108 160 C90 165 80 172"
        " 55 175"
    )
    axon = (
        "M215 122 C270 112 330 132 420 120 M420 120 C440 115 450 105 470 90 M420 120 C445 122"
        " 455 125 480 128 M420 120 C440 130 450 145 465 160"
    )
    ends = "".join(
        f'<circle cx="{x}" cy="{y}" r="4" fill="currentColor" stroke="none"/>'
        for x, y in ((473, 88), (484, 128), (468, 163))
    )
    body = (
        f'<path d="{dendrites}"/><path d="{axon}" stroke-width="2.6"/>{ends}'
        '<path d="M150 105 C165 85 205 90 218 115 C222 135 200 155 175 150 C150 150 140 125 150 105'
        'Z" fill="currentColor" fill-opacity="0.12"/>'
        '<circle cx="182" cy="120" r="11" fill="currentColor" fill-opacity="0.35"/>'
        + _text(60, 16, words["dendrites"])
        + _text(184, 184, words["cell body"])
        + _text(320, 104, words["axon"])
    )
    return 520, 205, body


def _cell(words: dict[str, str], inputs: list[tuple[str, str]], bias: bool) -> tuple[int, int, str]:
    """Return inputs with weights, the sum, the activation, the output."""
    gap = 58
    height = gap * len(inputs) + 6
    top, body = 34, ""
    middle = top + gap * (len(inputs) - 1) / 2
    for row, (name, weight) in enumerate(inputs):
        y = top + row * gap
        body += _unit(40, y, name)
        body += _arrow(62, y, 246, middle + (y - middle) * 0.18)
        body += _text(104, y + (middle - y) * 0.17 - 7, weight)
    body += f'<circle cx="275" cy="{middle}" r="28"/>' + _text(275, middle + 8, "Σ", 24)
    body += _arrow(305, middle, 362, middle)
    body += f'<rect x="364" y="{middle - 24}" width="52" height="48" rx="6"/>'
    body += _text(390, middle + 6, "f", 18)
    body += _arrow(418, middle, 476, middle) + _text(492, middle + 5, "y", 17)
    if bias:
        body += _arrow(275, middle + 72, 275, middle + 31) + _text(275, middle + 90, "b")
        body += _text(288, middle + 90, words["bias"], 13, "start")
    body += _text(275, middle - 38, words["sum"], 13) + _text(
        390, middle - 34, words["activation"], 13
    )
    return 510, int(max(height, middle + 100 if bias else 0)), body


def _perceptron(words: dict[str, str]) -> tuple[int, int, str]:
    return _cell(words, [(f"x_{i}", f"w_{i}") for i in (1, 2, 3)], True)


def _perceptron_bias(words: dict[str, str]) -> tuple[int, int, str]:
    inputs = [("1", "w_0"), *((f"x_{i}", f"w_{i}") for i in (1, 2, 3))]
    return _cell(words, inputs, False)


def _features(words: dict[str, str]) -> tuple[int, int, str]:
    names = ("1", "x_1", "x_2", "x_1^2", "x_1x_2", "x_2^2")
    inputs = [(name, f"w_{i}") for i, name in enumerate(names)]
    width, height, body = _cell({**words, "activation": "y = x"}, inputs, False)
    return width, height, body


def _network(words: dict[str, str]) -> tuple[int, int, str]:
    """Return the network of 2.5.1: n inputs, m hidden units, l outputs, biases as units of 1."""
    layers: tuple[tuple[int, tuple[str, ...]], ...] = (
        (60, ("1", "x_1", "x_i", "x_n")),
        (250, ("1", "y^1_1", "y^1_j", "y^1_m")),
        (440, ("y^2_1", "y^2_k", "y^2_l")),
    )
    gap, top, body = 66, 62, ""
    rows = {}
    for x, names in layers:
        shift = top + (4 - len(names)) * gap / 2 + (gap / 2 if len(names) == 3 else 0)
        rows[x] = [shift + i * gap for i in range(len(names))]
    links = ""
    for (x1, _), (x2, names) in pairwise(layers):
        for y1 in rows[x1]:
            for name, y2 in zip(names, rows[x2], strict=True):
                if name != "1":  # nothing leads to a bias
                    links += f'<line x1="{x1 + 20}" y1="{y1}" x2="{x2 - 20}" y2="{y2}"/>'
    body += f'<g stroke-opacity="0.35">{links}</g>'
    for x, names in layers:
        for name, y in zip(names, rows[x], strict=True):
            body += _unit(x, y, name)
    for y, name in zip(rows[440], ("t_1", "t_k", "t_l"), strict=True):
        body += _arrow(462, y, 500, y) + _text(520, y + 5, name)
    for x, word in ((60, "inputs"), (250, "hidden layer"), (440, "outputs"), (522, "targets")):
        body += _text(x, 20, words[word], 13)
    body += _text(155, 312, "w^1_{ij}", 17) + _text(345, 312, "w^2_{jk}", 17)
    return 560, 330, body


DRAWINGS: dict[str, Callable[[dict[str, str]], tuple[int, int, str]]] = {
    "neuron": _neuron,
    "perceptron": _perceptron,
    "perceptron-bias": _perceptron_bias,
    "features": _features,
    "network": _network,
}

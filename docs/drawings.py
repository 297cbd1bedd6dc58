"""Draws the pictures of kernels.md: `python docs/drawings.py` writes the SVG files beside it.

A picture brings its own background, so that it can be read on a page of any colour.
"""

from pathlib import Path

INK, PAPER, SOFT = "#1d2433", "#f7f8fb", "#c9cfdb"
BLUE, ORANGE, GREEN, GREY = "#7aa5e8", "#f0a860", "#7cc48d", "#e3e6ed"
SIDE = 26  # of a cell


class Picture:
    """Shapes, written as SVG."""

    def __init__(self, width: int, height: int, title: str):
        self.shapes = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" role="img" font-family="system-ui, sans-serif" font-size="13">',
            f"<title>{title}</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="{PAPER}"/>',
        ]

    def cell(self, x: float, y: float, text: str = "", fill: str = GREY, width: int = SIDE) -> None:
        """Draw a square or a bar, with a text in it."""
        self.shapes.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{SIDE}" fill="{fill}" '
            f'stroke="{INK}" stroke-width="0.7"/>'
        )
        if text:
            self.text(x + width / 2, y + SIDE / 2 + 4.5, text, "middle", 12)

    def text(self, x: float, y: float, text: str, anchor: str = "start", size: int = 13) -> None:
        """Write a line."""
        self.shapes.append(
            f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="{size}" '
            f'fill="{INK}">{text}</text>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, color: str = INK) -> None:
        """Draw a straight line."""
        self.shapes.append(
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{color}" stroke-width="1.5"/>'
        )

    def arrow(self, x1: float, y: float, x2: float) -> None:
        """Draw an arrow to the right."""
        self.line(x1, y, x2 - 6, y)
        points = f"{x2},{y} {x2 - 8},{y - 4} {x2 - 8},{y + 4}"
        self.shapes.append(f'<polygon points="{points}" fill="{INK}"/>')

    def save(self, name: str) -> None:
        """Write the file."""
        text = "\n".join([*self.shapes, "</svg>", ""])
        (Path(__file__).parent / name).write_text(text, encoding="utf-8")


def panels() -> None:
    """Draw a matrix of 3 inputs and 6 units, and its panels of 4 columns."""
    picture = Picture(690, 250, "A matrix of weights, cut into panels of columns")
    picture.text(20, 30, "weights and bias, row by row")
    colors = [BLUE] * 4 + [ORANGE] * 2
    for row in range(4):
        name = "b" if row == 3 else str(row)
        for unit in range(6):
            picture.cell(40 + unit * SIDE, 50 + row * SIDE, f"{name}{unit}", colors[unit])
    picture.text(20, 180, "a row of the matrix: one input, all units")
    picture.arrow(215, 102, 280)
    picture.text(300, 30, "panels: 4 units each, one after the other in memory")
    for panel, x in ((0, 310), (1, 460)):
        for row in range(4):
            name = "b" if row == 3 else str(row)
            for lane in range(4):
                unit = 4 * panel + lane
                inside = unit < 6
                text, fill = (f"{name}{unit}", colors[unit]) if inside else ("0", GREY)
                picture.cell(x + lane * SIDE, 50 + row * SIDE, text, fill)
        picture.text(x, 180, f"panel {panel}: thread {panel}")
    picture.text(
        20,
        215,
        "A row of a panel is two vectors (here 4 units, for lack of room): load, multiply-add.",
    )
    picture.text(20, 235, "What is missing in the last panel is 0, and changes nothing.")
    picture.save("panels.svg")


def compressed() -> None:
    """Draw three rows of pixels and their lists."""
    picture = Picture(690, 225, "Rows of mostly zeros, and the lists that are kept of them")
    picture.text(20, 30, "samples: most pixels are 0")
    rows = ((0, 0, 9, 0, 4, 0, 0, 0), (7, 0, 0, 0, 0, 0, 0, 2), (0, 0, 0, 5, 0, 0, 0, 0))
    colors = (BLUE, ORANGE, GREEN)
    kept = []
    for i, (row, color) in enumerate(zip(rows, colors, strict=True)):
        for k, value in enumerate(row):
            picture.cell(30 + k * SIDE, 50 + i * SIDE, str(value), color if value else GREY)
            if value:
                kept.append((value, k, color))
    picture.arrow(255, 88, 310)
    for name, y, at in (("values", 68, 0), ("columns", 108, 1)):
        picture.text(325, y, name)
        for n, entry in enumerate(kept):
            picture.cell(400 + n * SIDE, y - 18, str(entry[at]), entry[2])
    picture.text(325, 148, "starts")
    for n, start in enumerate((0, 2, 4, 5)):
        picture.cell(400 + n * SIDE, 130, str(start))
    picture.text(20, 185, "Made once for a fit. Per value that is kept: one row of weights, times")
    picture.text(20, 203, "the value, onto the outputs; zeros cost nothing, forward or backward.")
    picture.save("compressed.svg")


def lanes() -> None:
    """Draw four networks whose weights lie side by side."""
    picture = Picture(690, 235, "Four networks of one shape in the lanes of a vector")
    picture.text(20, 30, "four networks of one shape")
    colors = (BLUE, ORANGE, GREEN, SOFT)
    for net, color in enumerate(colors):
        picture.text(20, 68 + net * 36, f"network {net}")
        for weight in range(4):
            picture.cell(95 + weight * SIDE, 50 + net * 36, f"w{weight}", color)
    picture.arrow(215, 117, 275)
    picture.text(295, 30, "one weight of all four is one vector")
    for weight in range(4):
        picture.text(295, 68 + weight * 36, f"w{weight}")
        for net, color in enumerate(colors):
            picture.cell(325 + net * SIDE, 50 + weight * 36, str(net), color)
    picture.arrow(440, 117, 480)
    for i, text in enumerate(
        (
            "one instruction: a step of",
            "four networks, each with",
            "its own learning rate,",
            "seed and samples",
        )
    ):
        picture.text(492, 92 + i * 20, text)
    picture.text(
        20, 218, "8 networks in float64, 16 in float32, with AVX-512: no padding, no sums across."
    )
    picture.save("lanes.svg")


def barrier() -> None:
    """Draw two threads over time, and where they wait for each other."""
    picture = Picture(690, 240, "Two threads that meet at a barrier between the parts of a step")
    parts = ("inputs", "hidden", "outputs", "deltas", "update")
    for thread, (y, color) in enumerate(((60, BLUE), (110, ORANGE))):
        picture.text(15, y + 18, f"thread {thread}")
        for n, name in enumerate(parts):
            waits = 25 if (n + thread) % 3 == 1 else 0
            picture.cell(85 + 118 * n, y, name, color, 118 - waits)
            if waits:
                picture.cell(85 + 118 * (n + 1) - waits, y, "", PAPER, waits)
    for n in range(1, len(parts) + 1):
        picture.line(85 + 118 * n, 45, 85 + 118 * n, 150, "#c0392b")
    picture.text(85 + 118, 36, "barrier", "middle", 12)
    for n, text in enumerate(
        (
            "Each thread has its share of panels or rows: it alone writes there.",
            "At a barrier it adds 1 to a counter, and waits until all have: first it looks some",
            "2000 times, then it sleeps (futex), so that a thread that the system has put aside",
            "gets its processor.",
        )
    ):
        picture.text(15, 176 + 18 * n, text)
    picture.save("barrier.svg")


if __name__ == "__main__":
    for draw in (panels, compressed, lanes, barrier):
        draw()

"""What a lesson lets one do: worked steps, a live picture with knobs, exercises that are judged.

`records` says what these are. The other files have them, chapter by chapter: `neurons`, `linear`,
`descent`, `slopes` (activations), `hidden` (back-propagation) and `digits` (images); `numbers`
writes numbers into formulas. Nothing is trained before a function is called.
"""

from .records import Play


def play(name: str) -> Play:
    """Return what there is to do in the lesson of a system."""
    from . import descent, digits, hidden, linear, neurons, slopes

    plays: dict[str, Play] = {}
    for chapter in (neurons, linear, descent, slopes, hidden, digits):
        plays |= chapter.PLAYS
    return plays[name]

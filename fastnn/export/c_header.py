"""A C header put together, with what is to be known of it."""

import re
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from . import c_text
from .c_fixed import FixedNetwork
from .c_functions import buffers, decides_by_scores, functions
from .forward import Results
from .plain import CLASSES, LABELS, NUMBERS, PlainNetwork

N_TESTS = 4
_INPUT = {"uint8": "uint8_t", "float32": "float", "float64": "double"}
_ABOUT = """/* A network {shape} in {arithmetic}, by fastnn {version}. Include it in one file:

       NAME_scores(x, scores);      SCORE scores[{n_scores}], from {entry} x[{n_features}]
       NAME_values(scores, values); REAL values[{n_values}]: {meaning}{decision}

   Constants: {flash:,} bytes, in flash; arrays on the stack: {ram:,} bytes.
   {library}

   Test: cc -std=c99 -D UPPER_TEST -x c FILE -lm -o test && ./test */
#ifndef UPPER_H
#define UPPER_H

#include <stdint.h>
"""


@dataclass(frozen=True)
class CHeader:
    """A header for a network.

    Attributes
    ----------
    plain : PlainNetwork
    name : str
        With which all names in the file begin.
    real : {"float", "double"}
    fixed : FixedNetwork or None
        The network in 8-bit fixed point, instead.
    """

    plain: PlainNetwork
    name: str
    real: str
    fixed: FixedNetwork | None = None

    @property
    def score(self) -> str:
        """The type of the scores."""
        return self.real if self.fixed is None else "int32_t"

    @property
    def n_values(self) -> int:
        """How many values there are for a sample."""
        plain = self.plain
        if plain.task == CLASSES and plain.gives_probabilities:
            return len(np.asarray(plain.classes))
        return plain.sizes[-1]

    @property
    def n_labels(self) -> int:
        """How many labels there are for a sample: 1 where it has one of some classes."""
        return {CLASSES: 1, LABELS: self.plain.sizes[-1], NUMBERS: 0}[self.plain.task]

    @property
    def label(self) -> str:
        """C that gives label k, where there are scores and values."""
        what = "scores" if decides_by_scores(self.plain) else "values"
        if self.plain.task == LABELS:
            return f"{self.name}_label({what}, k)"
        return f"{self.name}_class({what})" if self.plain.task == CLASSES else "0"

    @property
    def flash(self) -> int:
        """Bytes of the layers' constants."""
        return self._arrays[1]

    @property
    def ram(self) -> int:
        """Bytes of the layers' arrays on the stack."""
        sizes = (4, 2) if self.fixed is not None else (4, 4) if self.real == "float" else (8, 8)
        lengths = buffers(self.plain, self.fixed)
        return sum(n * size for n, size in zip(lengths, sizes, strict=True))

    @cached_property
    def _arrays(self) -> tuple[str, int]:
        return c_text.declared(self.plain, self.real, self.fixed)

    def text(self, X: NDArray, results: Results, tolerance: float) -> str:
        """Return the file, with a test of the first samples X, for which results are expected."""
        plain, n = self.plain, min(N_TESTS, len(X))
        entry = _INPUT[plain.entry_dtype.name]
        tolerance *= max(1.0, float(abs(results.values).max()))
        labels = None if results.labels is None else results.labels[:n]
        first = Results(results.values[:n], labels)
        parts = [
            self._about(entry),
            self._math(),
            c_text.FLASH,
            c_text.sizes(plain, self.n_values, n, entry),
            self._arrays[0],
            c_text.ADD if self.fixed is None else c_text.ADD_FIXED,
            c_text.activations(plain, self.fixed),
            functions(plain, self.fixed),
            c_text.test(plain, X[:n], first, self.real, entry, self.label, tolerance),
            "\n#endif\n",
        ]
        parts = [self._named(part) for part in parts]
        parts.insert(5, self._named(c_text.classes(plain, self.name)))  # labels are the user's
        return "".join(parts)

    def _named(self, text: str) -> str:
        """Return text with this header's names and types, and functions of math.h."""
        text = re.sub(
            r"\b(exp|tanh|log|erfc)_\(", r"\1f(" if self.real == "float" else r"\1(", text
        )
        meanings = {
            "NAME": self.name,
            "UPPER": self.name.upper(),
            "REAL": self.real,
            "SCORE": self.score,
        }
        # All at once: the network's own name may be "real", or "score".
        words = rf"\b({'|'.join(meanings)})(?=_|\b)"
        return re.sub(words, lambda found: meanings[found[1]], text)

    def _about(self, entry: str) -> str:
        plain = self.plain
        decision = ""
        if plain.task == CLASSES:
            decision = f"\n       {self.label};  the class, a place in NAME_classes"
        elif plain.task == LABELS:
            decision = f"\n       {self.label};  1 if label k is there"
        always, ever = self._needs_math
        library = "No library is needed." if not ever else "It needs math.h."
        if ever and not always:
            library = "The values need math.h; with UPPER_SCORES_ONLY there are none."
        return _ABOUT.format(
            shape="-".join(map(str, plain.sizes)),
            arithmetic=self.real if self.fixed is None else "8-bit fixed point",
            version=version("fastnn"),
            entry=entry,
            n_scores=plain.sizes[-1],
            n_features=plain.sizes[0],
            n_values=self.n_values,
            meaning="probabilities" if plain.gives_probabilities else "outputs",
            decision=decision,
            flash=self.flash,
            ram=self.ram,
            library=library,
        )

    @property
    def _needs_math(self) -> tuple[bool, bool]:
        """Whether math.h is needed always, and whether for the values."""
        *hidden, last = (layer.activation for layer in self.plain.layers)
        always = self.fixed is None and any(map(c_text.needs_math, hidden))
        return always, always or (c_text.needs_math(last) and not self.plain.is_constant)

    def _math(self) -> str:
        always, ever = self._needs_math
        if always or not ever:
            return "#include <math.h>\n" if always else ""
        return "#ifndef UPPER_SCORES_ONLY\n#include <math.h>\n#endif\n"

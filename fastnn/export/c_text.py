"""The text of a C header: constants, types, functions, and a test behind a macro.

In the texts NAME and UPPER stand for the network's name, REAL for float or double, SCORE for the
type of the scores.
"""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .c_activations import ACTIVATIONS, SOFTMAX
from .c_fixed import FixedNetwork
from .forward import Results
from .onnx_graph import portable_classes
from .plain import CLASSES, PlainNetwork

FLASH = """
#ifdef __AVR__ /* constants stay in flash, and are read from there */
#include <avr/pgmspace.h>
#define UPPER_FLASH PROGMEM
#define UPPER_REAL(p) pgm_read_float(p)
#define UPPER_INT8(p) ((int8_t)pgm_read_byte(p))
#define UPPER_INT16(p) ((int16_t)pgm_read_word(p))
#define UPPER_INT32(p) ((int32_t)pgm_read_dword(p))
#else
#define UPPER_FLASH
#define UPPER_REAL(p) (*(p))
#define UPPER_INT8(p) (*(p))
#define UPPER_INT16(p) (*(p))
#define UPPER_INT32(p) (*(p))
#endif
"""
ADD = """
/* Add a row of weights, times its input, to the sums of a layer. */
static inline void NAME_add(const REAL *w, REAL x, REAL *sums, unsigned n)
{
    unsigned j;
    for (j = 0; j < n; j++) sums[j] += x * UPPER_REAL(w + j);
}
"""
ADD_FIXED = """
/* Add a row of weights, times its input, to the sums of a layer. */
static inline void NAME_add(const int8_t *w, int16_t x, int32_t *sums, unsigned n)
{
    unsigned j;
    for (j = 0; j < n; j++) sums[j] += x * UPPER_INT8(w + j);
}

/* Return sum * factor / 2^shift, rounded, between two limits. */
static inline int32_t NAME_rescale(
    int32_t sum, int32_t factor, int shift, int32_t low, int32_t high)
{
    const int64_t product = (int64_t)sum * factor, half = (int64_t)1 << (shift - 1);
    const int64_t y = product < 0 ? -((half - product) >> shift) : (half + product) >> shift;
    return (int32_t)(y < low ? low : y > high ? high : y);
}
"""
_TEST = """
#ifdef UPPER_TEST
#include <stdio.h>

static const NAME_input NAME_test_inputs[UPPER_N_TESTS][UPPER_N_FEATURES] = {INPUTS};
static const REAL NAME_test_values[UPPER_N_TESTS][UPPER_N_VALUES] = {VALUES};
LABELS

int main(void)
{
    SCORE scores[UPPER_N_SCORES];
    REAL values[UPPER_N_VALUES], worst = 0;
    unsigned n, k, wrong = 0;

CLASSES
    for (n = 0; n < UPPER_N_TESTS; n++) {
        NAME_scores(NAME_test_inputs[n], scores);
        NAME_values(scores, values);
        for (k = 0; k < UPPER_N_VALUES; k++) {
            const REAL difference = values[k] - NAME_test_values[n][k];
            const REAL size = difference < 0 ? -difference : difference;
            if (size > worst) worst = size;
            if (!(size <= TOLERANCE)) wrong++;
        }
CHECK
    }
    printf("%u samples, largest difference %g, %u wrong\\n", n, (double)worst, wrong);
    return wrong != 0;
}
#endif
"""


def numbers(values: Iterable[Any], ctype: str) -> str:
    """Return constants of a C type, comma-separated, in lines."""
    if ctype in ("float", "double"):
        kind, end = (np.float32, "f") if ctype == "float" else (np.float64, "")
        texts = [f"{kind(v)!s}{end}" for v in values]
    else:
        texts = [str(int(v)) for v in values]
    per_line = max(1, 96 // (2 + max(map(len, texts))))
    lines = [", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
    return "\n    " + ",\n    ".join(lines)


def declared(plain: PlainNetwork, real: str, fixed: FixedNetwork | None) -> tuple[str, int]:
    """Return the arrays of all layers, and their bytes."""
    arrays: list[tuple[str, str, NDArray]] = []
    for number, scaler in enumerate(plain.scalers, 1):
        arrays.append((f"offset_{number}", real, scaler.offset))
        arrays.append((f"factor_{number}", real, scaler.factor))
    if fixed is None:
        for number, layer in enumerate(plain.layers, 1):
            scale = plain.input_scale if number == 1 else 1.0
            arrays.append((f"weights_{number}", real, layer.weights * np.float64(scale)))
            arrays.append((f"bias_{number}", real, layer.bias))
    else:
        for number, whole in enumerate(fixed.layers, 1):
            arrays.append((f"weights_{number}", "int8_t", whole.weights))
            arrays.append((f"bias_{number}", "int32_t", whole.bias))
            arrays.append((f"factors_{number}", "int32_t", whole.factors))
            if whole.table is not None:
                arrays.append((f"table_{number}", "int16_t", whole.table))
    texts = [
        f"static const {ctype} NAME_{name}[{values.size}] UPPER_FLASH = "
        f"{{{numbers(values.ravel(), ctype)}}};\n"
        for name, ctype, values in arrays
    ]
    sizes = {"float": 4, "double": 8, "int8_t": 1, "int16_t": 2, "int32_t": 4}
    return "\n" + "".join(texts), sum(sizes[ctype] * v.size for _, ctype, v in arrays)


def classes(plain: PlainNetwork, name: str) -> str:
    """Return the table of class labels, if there is one: numbers or strings."""
    if plain.task != CLASSES:
        return ""
    labels = portable_classes(np.asarray(plain.classes))
    listed = labels.tolist()
    if labels.dtype == object:
        ctype, texts = "char *const", [_string(label) for label in listed]
    elif listed[0] > -(2**31) and listed[-1] < 2**31:
        ctype, texts = "int32_t", [str(label) for label in listed]
    else:  # the least number is no constant in C
        ctype, texts = "int64_t", [f"INT64_C({label + 1}) - 1" for label in listed]
    return f"static const {ctype} {name}_classes[{len(texts)}] = {{{', '.join(texts)}}};\n"


def _string(text: str) -> str:
    """Return a C string of UTF-8, its other bytes by their octal numbers."""
    plain = "".join(
        chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode()
    )
    return f'"{plain}"'


def check_activations(plain: PlainNetwork) -> None:
    """Raise ValueError if there is no C for a layer's activation."""
    for number, layer in enumerate(plain.layers, 1):
        if layer.activation != "softmax" and layer.activation not in ACTIVATIONS:
            raise ValueError(f"layer {number}, {layer.activation}: there is no formula in C")


def activations(plain: PlainNetwork, fixed: FixedNetwork | None) -> str:
    """Return the functions of the activations that layers have."""
    texts: dict[str, str] = {}
    for number, layer in enumerate(plain.layers, 1):
        name, is_last = layer.activation, number == len(plain.layers)
        if name == "identity" or (plain.is_constant if is_last else fixed is not None):
            continue
        if name == "softmax":
            text = SOFTMAX
        else:
            row = ACTIVATIONS[name]
            argument = ", REAL a" if re.search(r"\ba\b", row.body) else ""
            text = f"static inline REAL NAME_{name}(REAL z{argument})\n{{\n    {row.body}\n}}\n"
        if is_last and name not in texts and needs_math(name):
            text = f"#ifndef UPPER_SCORES_ONLY\n{text}#endif\n"
        texts.setdefault(name, text)
    return "".join(f"\n{text}" for text in texts.values())


def needs_math(name: str) -> bool:
    """Whether an activation calls math.h."""
    return name == "softmax" or ACTIVATIONS[name].needs_math


def call(plain: PlainNetwork, number: int, z: str) -> str:
    """Return the activation of a layer for an expression."""
    layer = plain.layers[number - 1]
    if layer.activation == "identity":
        return z
    has_parameter = re.search(r"\ba\b", ACTIVATIONS[layer.activation].body)
    argument = f", (REAL){layer.parameter!r}" if has_parameter else ""
    return f"NAME_{layer.activation}({z}{argument})"


def sizes(plain: PlainNetwork, n_values: int, n_tests: int, entry: str) -> str:
    """Return the numbers and types of a network."""
    return f"""
#define UPPER_N_FEATURES {plain.sizes[0]}
#define UPPER_N_SCORES {plain.sizes[-1]}
#define UPPER_N_VALUES {n_values}
#define UPPER_N_TESTS {n_tests}
typedef {entry} NAME_input;
"""


def test(
    plain: PlainNetwork,
    X: NDArray,
    results: Results,
    real: str,
    entry: str,
    label: str,
    tolerance: float,
) -> str:
    """Return a `main` that checks samples X: how far its values are from those expected."""
    labels = results.labels
    text = _TEST.replace("{INPUTS}", _rows(X, entry))
    text = text.replace("{VALUES}", _rows(results.values, real))
    if labels is None:
        declaration = check = ""
    else:
        labels = labels.reshape(len(X), -1)
        n = labels.shape[1]
        declaration = (
            f"static const uint16_t NAME_test_labels[UPPER_N_TESTS][{n}] = "
            f"{_rows(labels, 'uint16_t')};\n"
        )
        check = (
            f"        for (k = 0; k < {n}; k++) {{\n"
            f"            if ({label} != NAME_test_labels[n][k]) wrong++;\n        }}\n"
        )
    text = text.replace("LABELS\n", declaration).replace("CHECK\n", check)
    is_used = "    (void)NAME_classes;\n" if plain.task == CLASSES else ""
    text = text.replace("CLASSES\n", is_used)
    return text.replace("TOLERANCE", f"(REAL){tolerance!r}")


def _rows(values: NDArray, ctype: str) -> str:
    rows = ",\n    ".join(f"{{{numbers(row, ctype).lstrip()}}}" for row in values)
    return f"{{\n    {rows}}}"

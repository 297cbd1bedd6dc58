"""The functions of a C header: scores of a sample, the class or labels, the values."""

import math
from collections.abc import Callable

from .c_activations import ACTIVATIONS
from .c_fixed import FixedNetwork
from .c_text import call, needs_math
from .plain import CLASSES, LABELS, PlainNetwork

# The pre-activation at which an output is t.
_INVERSE: dict[str, Callable[[float], float]] = {
    "identity": lambda t: t,
    "sigmoid": lambda t: math.log(t / (1 - t)),
    "tanh": math.atanh,
    "softsign": lambda t: t / (1 - t),
    "softplus": lambda t: math.log(math.expm1(t)),
    "exponential": math.log,
}


def decides_by_scores(plain: PlainNetwork) -> bool:
    """Whether classes follow from pre-activations; else from the outputs."""
    name = plain.layers[-1].activation
    if name == "softmax":
        return True
    if not ACTIVATIONS[name].is_increasing:
        return False
    by_argmax = plain.task == CLASSES and plain.sizes[-1] > 1
    return by_argmax or plain.threshold > 0 or name in ("identity", "tanh", "softsign")


def functions(plain: PlainNetwork, fixed: FixedNetwork | None) -> str:
    """Return the functions in their order."""
    return _scores(plain, fixed) + _decision(plain, fixed) + _values(plain, fixed)


def buffers(plain: PlainNetwork, fixed: FixedNetwork | None) -> tuple[int, int]:
    """Return the lengths of the two arrays on the stack; 0: there is none.

    In float the layers take turns; in fixed point the first has sums, the other units.
    """
    hidden = plain.sizes[1:-1]
    if fixed is None:
        return max(hidden[0::2], default=0), max(hidden[1::2], default=0)
    return max(plain.sizes[1:]), max(hidden, default=0)


def _input(plain: PlainNetwork, fixed: FixedNetwork | None) -> list[str]:
    """Return the lines that take an input as `v`, what the first layer multiplies."""
    kind = "REAL" if fixed is None else "int16_t"
    if fixed is not None and fixed.input_steps == 0:
        return [f"const {kind} v = x[i];"]
    lines = ["REAL v = (REAL)x[i];"]
    for number, scaler in enumerate(plain.scalers, 1):
        lines.append(
            f"v = (v - UPPER_REAL(NAME_offset_{number} + i)) * "
            f"UPPER_REAL(NAME_factor_{number} + i);"
        )
        if scaler.limits is not None:
            low, high = (f"(REAL){limit!r}" for limit in scaler.limits)
            lines.append(f"v = v < {low} ? {low} : v > {high} ? {high} : v;")
    return lines


def _scores(plain: PlainNetwork, fixed: FixedNetwork | None) -> str:
    """Return `scores`: the pre-activations of the last layer, or its outputs."""
    n_a, n_b = buffers(plain, fixed)
    names = ("a", "b") if fixed is None else ("sums", "units")
    types = ("REAL", "REAL") if fixed is None else ("int32_t", "int16_t")
    lines = [
        f"{ctype} {name}[{n}];"
        for ctype, name, n in zip(types, names, (n_a, n_b), strict=True)
        if n
    ]
    lines.append("unsigned i, j;")
    source, last = "x", len(plain.layers)
    for number, layer in enumerate(plain.layers, 1):
        n_in, n_out = layer.weights.shape
        lines += ["", f"/* layer {number}: {n_in} inputs, {n_out} units, {layer.activation} */"]
        target = "scores" if number == last else names[(number - 1) % 2]
        sums = target if fixed is None else "sums"
        read = "UPPER_REAL" if fixed is None else "UPPER_INT32"
        lines.append(f"for (j = 0; j < {n_out}; j++) {sums}[j] = {read}(NAME_bias_{number} + j);")
        lines.append(f"for (i = 0; i < {n_in}; i++) {{")
        taken = _input(plain, fixed) if number == 1 else [f"const {types[1]} v = {source}[i];"]
        v = "v"
        if number == 1 and fixed is not None and fixed.input_steps:
            taken.append("v *= (REAL)INPUT_STEPS;")
            taken.append("v = v < -127 ? -127 : v > 127 ? 127 : v;")
            taken.append("const int16_t q = (int16_t)(v < 0 ? v - (REAL)0.5 : v + (REAL)0.5);")
            v = "q"
        lines += [f"    {line}" for line in taken]
        row = f"NAME_weights_{number} + i * {n_out}"
        lines.append(f"    if ({v} != 0) NAME_add({row}, {v}, {sums}, {n_out});")
        lines.append("}")
        if fixed is not None:
            lines.append(_rescaled(fixed, number, n_out))
            source = "units"
        else:
            z = f"{target}[j]"
            if number < last and layer.activation != "identity":
                lines.append(f"for (j = 0; j < {n_out}; j++) {z} = {call(plain, number, z)};")
            source = target
    body = "\n".join(f"    {line}" if line else "" for line in lines)
    if fixed is not None:
        body = body.replace("INPUT_STEPS", repr(plain.input_scale * fixed.input_steps))
    text = "\n/* Scores of a sample, from which its class and values follow. */\n"
    text += "static inline void NAME_scores(const NAME_input *x, SCORE *scores)\n"
    return f"{text}{{\n{body}\n}}\n"


def _rescaled(fixed: FixedNetwork, number: int, n_out: int) -> str:
    layer = fixed.layers[number - 1]
    value = (
        f"NAME_rescale(sums[j], UPPER_INT32(NAME_factors_{number} + j), "
        f"{layer.shift}, {layer.low}, {layer.high})"
    )
    if number == len(fixed.layers):
        target = "scores[j]"
    else:
        target = "units[j]"
        if layer.table is None:
            value = f"(int16_t){value}"
        else:
            value = f"UPPER_INT16(NAME_table_{number} + 128 + {value})"
    return f"for (j = 0; j < {n_out}; j++) {{\n        {target} = {value};\n    }}"


def _threshold(plain: PlainNetwork, fixed: FixedNetwork | None) -> str:
    """Return what a score, or an output, has to exceed."""
    t = plain.threshold
    if not decides_by_scores(plain):
        return f"(REAL){t!r}"
    t = _INVERSE[plain.layers[-1].activation](t)
    return f"(REAL){t!r}" if fixed is None else str(round(t * 2.0**fixed.fraction))


def _decision(plain: PlainNetwork, fixed: FixedNetwork | None) -> str:
    """Return `class` or `label`; nothing for a regression."""
    by_scores = decides_by_scores(plain)
    what, argument = ("scores", "const SCORE *s") if by_scores else ("values", "const REAL *s")
    if plain.task == LABELS:
        return (
            f"\n/* 1 if label k is there, else 0; s are the {what}. */\n"
            f"static inline unsigned NAME_label({argument}, unsigned k)\n"
            f"{{\n    return s[k] > {_threshold(plain, fixed)};\n}}\n"
        )
    if plain.task != CLASSES or plain.classes is None:
        return ""
    if plain.is_constant:
        body = "    (void)s;\n    return 0;\n"
    elif plain.sizes[-1] == 1:
        body = f"    return s[0] > {_threshold(plain, fixed)};\n"
    else:
        body = (
            "    unsigned best = 0, k;\n"
            f"    for (k = 1; k < {plain.sizes[-1]}; k++) if (s[k] > s[best]) best = k;\n"
            "    return best;\n"
        )
    return (
        f"\n/* Where the class stands in NAME_classes; s are the {what}. */\n"
        f"static inline unsigned NAME_class({argument})\n{{\n{body}}}\n"
    )


def _values(plain: PlainNetwork, fixed: FixedNetwork | None) -> str:
    """Return `values`: what scores mean."""
    n, name = plain.sizes[-1], plain.layers[-1].activation
    score = "s[j]" if fixed is None else f"(REAL)s[j] * (REAL){2.0**-fixed.fraction!r}"
    is_class = plain.task == CLASSES and plain.gives_probabilities
    lines = []
    if plain.is_constant:
        lines = ["(void)s;", "v[0] = 1;"]
    else:
        output = score if name == "softmax" else call(plain, len(plain.layers), score)
        target = "v[1]" if is_class and n == 1 else "v[j]"
        lines = ["unsigned j;", f"for (j = 0; j < {n}; j++) {target} = {output};"]
        if name == "softmax":
            lines.append(f"NAME_softmax(v, {n});")
        elif is_class and n == 1:
            lines.append("v[0] = 1 - v[1];")
        elif is_class:
            lines.insert(1, "REAL sum = 0;")
            lines.append(f"for (j = 0; j < {n}; j++) sum += v[j];")
            lines.append(f"for (j = 0; j < {n}; j++) v[j] = sum > 0 ? v[j] / sum : (REAL)1 / {n};")
    body = "\n".join(f"    {line}" for line in lines)
    if is_class or (plain.task == LABELS and plain.gives_probabilities):
        meaning = "Probabilities"
    else:
        meaning = "Outputs"
    text = (
        f"\n/* {meaning}, from scores. */\n"
        f"static inline void NAME_values(const SCORE *s, REAL *v)\n{{\n{body}\n}}\n"
    )
    has_math = needs_math(name) and not plain.is_constant
    return f"\n#ifndef UPPER_SCORES_ONLY{text}#endif\n" if has_math else text

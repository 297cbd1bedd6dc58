"""The activations in C99.

REAL stands for float or double; what ends in an underscore, such as exp_, for a function of math.h
in that type. Those of math.h are few, and old, as AVR's library has no others.
"""

from typing import NamedTuple


class CActivation(NamedTuple):
    """The body of a function of z, and of a where the activation has a number in it.

    Attributes
    ----------
    body : str
    is_increasing : bool
        Whether a larger z has a larger output, so that z itself says which class.
    """

    body: str
    is_increasing: bool = False

    @property
    def needs_math(self) -> bool:
        """Whether it calls a function of math.h."""
        return "_(" in self.body


ACTIVATIONS = {
    "sign": CActivation("return (REAL)((z > 0) - (z < 0));"),
    "identity": CActivation("return z;", is_increasing=True),
    "sigmoid": CActivation(
        "if (z >= 0) return 1 / (1 + exp_(-z));\n    z = exp_(z);\n    return z / (1 + z);",
        is_increasing=True,
    ),
    "tanh": CActivation("return tanh_(z);", is_increasing=True),
    "softsign": CActivation("return z < 0 ? z / (1 - z) : z / (1 + z);", is_increasing=True),
    "relu": CActivation("return z > 0 ? z : 0;"),
    "softplus": CActivation(
        "return z > 0 ? z + log_(1 + exp_(-z)) : log_(1 + exp_(z));", is_increasing=True
    ),
    "leaky_relu": CActivation("return z > 0 ? z : a * z;"),
    "elu": CActivation("return z > 0 ? z : a * (exp_(z) - 1);"),
    "selu": CActivation(
        "return (REAL)1.0507009873554805 * (z > 0 ? z : (REAL)1.6732632423543772 * (exp_(z) - 1));"
    ),
    "gelu": CActivation("return z * erfc_(z * (REAL)-0.70710678118654752) / 2;"),
    "silu": CActivation(
        "const REAL e = exp_(z < 0 ? z : -z);\n    return z * (z < 0 ? e : 1) / (1 + e);"
    ),
    "exponential": CActivation("return exp_(z);", is_increasing=True),
}
SOFTMAX = """static inline void NAME_softmax(REAL *y, unsigned n)
{
    REAL largest = y[0], sum = 0;
    unsigned j;
    for (j = 1; j < n; j++) if (y[j] > largest) largest = y[j];
    for (j = 0; j < n; j++) sum += y[j] = exp_(y[j] - largest);
    for (j = 0; j < n; j++) y[j] /= sum;
}
"""

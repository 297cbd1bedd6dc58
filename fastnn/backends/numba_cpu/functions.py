"""Elementary functions of vectors for Numba: with the methods and the errors of vector.h."""

import math

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from .vector import VECTOR_BYTES, call, constant_vector, llvm_type, select, spread, unary

# Of exp(r) = 1 + r p(r): see vector.h.
EXP_TERMS_32 = (1.0, 0.5, 0.166665047, 0.0416664667, 0.00836915523, 0.00139336498)
EXP_TERMS_64 = (
    *(1.0, 0.5000000000000006, 0.1666666666666667, 0.041666666666573066),
    *(0.008333333333326136, 0.001388888893251478, 0.00019841269874820627),
    *(2.480150431378554e-05, 2.7557255400206422e-06),
    *(2.7626371065696354e-07, 2.5105217004720745e-08),
)
# The same for |r| <= ln 2 / 32.
SHORT_TERMS_32 = (1.0, 0.50001466, 0.1666696)
SHORT_TERMS_64 = (
    *(1.0, 0.5, 0.16666666664209707, 0.04166666666359547),
    *(0.00833347297495123, 0.0013889063440655326),
)
# ln 2 in two parts, the first with so few digits that its products are exact.
LN2 = {
    32: (0.693359375, -2.12194440e-4),
    64: (6.93147180369123816490e-01, 1.90821492927058770002e-10),
}
EXP_RANGE = {32: (-87.0, 88.0), 64: (-708.0, 709.0)}
# Of the normal distribution function: see vector.h.
NORMAL_TERMS_32 = (
    *(0.7410803, -0.5529922, 0.29537597, -0.09838392, 0.008719708, 0.007820226),
    *(-0.0022592943, -0.0008359978, 0.00034012154, 0.00013002983, -3.563533e-05, -1.6974116e-05),
)
NORMAL_TERMS_64 = (
    *(0.7502940722658991, -0.5881884178362788, 0.35293985747806667),
    *(-0.15151686542684484, 0.037489325419316454, 0.0011683519689143903),
    *(-0.0041628682647077385, 0.0006099109014437357, 0.0004698239656503829),
    *(-0.00011721024982839805, -7.007654107168944e-05, 1.706705277434501e-05),
    *(1.3311780777954987e-05, -1.646436251988933e-06, -2.771463207018274e-06),
    *(-1.6396886421849158e-07, 5.430426279438508e-07, 1.582940126042311e-07),
    *(-8.591941854674714e-08, -5.4321346250265405e-08, 8.774935250291008e-09),
    *(1.1411826788822955e-08, -3.3815234804296087e-10, -1.188841034787504e-09),
)


def _reduced(builder, vector, a, parts):
    """Return r of a = n ln 2 / parts + r, and a vector with n in its lowest bits."""
    bits, llvm = vector.dtype.bitwidth, llvm_type(vector)

    def constant(value):
        return constant_vector(vector, value)

    def fma(x, y, z):
        return call(builder, "fma", llvm, [x, y, z])

    high, low = LN2[bits]
    magic = constant(1.5 * 2 ** (23 if bits == 32 else 52))
    shifted = fma(a, constant(parts / math.log(2)), magic)
    n = builder.fsub(shifted, magic)
    return fma(n, constant(-low / parts), fma(n, constant(-high / parts), a)), shifted


def _exp_parts(builder, vector, a, rest=None):
    """Parts p, r and power of exp(a - rest) = power + power r p, by the method of vector.h."""
    single = vector.dtype.bitwidth == 32
    mantissa, bias = (23, 127) if single else (52, 1023)
    llvm = llvm_type(vector)

    def fma(x, y, z):
        return call(builder, "fma", llvm, [x, y, z])

    r, shifted = _reduced(builder, vector, a, 1)
    if rest is not None:
        r = builder.fsub(r, rest)
    r2 = builder.fmul(r, r)
    r4 = builder.fmul(r2, r2)
    terms = EXP_TERMS_32 if single else EXP_TERMS_64
    c = [constant_vector(vector, term) for term in terms]

    # Blocks of terms, which are independent: less to wait for.
    def pair(k):
        return fma(c[k + 1], r, c[k])

    def block(k):
        return fma(pair(k + 2), r2, pair(k))

    if single:
        p = fma(pair(4), r4, block(0))
    else:
        p = fma(fma(c[10], r2, pair(8)), builder.fmul(r4, r4), fma(block(4), r4, block(0)))
    integer = ir.VectorType(ir.IntType(vector.dtype.bitwidth), vector.lanes)
    bits = builder.add(
        builder.bitcast(shifted, integer), ir.Constant(integer, [bias] * integer.count)
    )
    bits = builder.shl(bits, ir.Constant(integer, [mantissa] * integer.count))
    return p, r, builder.bitcast(bits, llvm)


def _clamp(builder, vector, a, sign=1):
    """Bound a to where exp(sign * a) is a normal number; NaN stays NaN."""
    bounds = sorted(sign * bound for bound in EXP_RANGE[vector.dtype.bitwidth])
    low, high = (constant_vector(vector, bound) for bound in bounds)
    a = select(builder, "<", vector, a, low, low, a)
    return select(builder, ">", vector, a, high, high, a)


def _exp_minus(builder, vector, a, shift):
    """exp(a) - shift, for a that is clamped."""
    p, r, power = _exp_parts(builder, vector, a)
    minus = builder.fsub(power, constant_vector(vector, shift))
    return call(builder, "fma", llvm_type(vector), [builder.fmul(power, r), p, minus])


def _has_permutations():
    """Say whether a vector of lanes can be picked from a table: LLVM does not split that."""
    return VECTOR_BYTES == 64 and "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[2]


def _exp_above(builder, vector, a, shift):
    """exp(a) - shift for shift -1 or 0, and a that is clamped: as vexp_above of vector.h has it."""
    if not _has_permutations():
        return _exp_minus(builder, vector, a, shift)
    bits, llvm = vector.dtype.bitwidth, llvm_type(vector)
    mantissa, integers = (23, np.int32) if bits == 32 else (52, np.int64)

    def fma(x, y, z):
        return call(builder, "fma", llvm, [x, y, z])

    r, shifted = _reduced(builder, vector, a, 16)
    r2 = builder.fmul(r, r)
    terms = SHORT_TERMS_32 if bits == 32 else SHORT_TERMS_64
    c = [constant_vector(vector, term) for term in terms]
    p = fma(c[1], r, c[0])
    if bits == 32:
        p = fma(c[2], r2, p)
    else:
        p = fma(fma(c[3], r, c[2]), r2, p)
        p = fma(fma(c[5], r, c[4]), builder.fmul(r2, r2), p)
    roots = (2.0 ** (np.arange(16) / 16)).astype(f"float{bits}").view(integers)
    roots -= np.arange(16, dtype=integers) << (mantissa - 4)
    integer = ir.VectorType(ir.IntType(bits), vector.lanes)
    tables = [ir.Constant(integer, part.tolist()) for part in roots.reshape(-1, vector.lanes)]
    places = builder.bitcast(shifted, integer)
    name, arguments = "permvar.si.512", [*tables, places]
    if len(tables) == 2:
        name, arguments = "vpermi2var.q.512", [tables[0], places, tables[1]]
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(integer, [integer] * len(arguments)),
        f"llvm.x86.avx512.{name}",
    )
    power = builder.shl(places, ir.Constant(integer, [mantissa - 4] * vector.lanes))
    power = builder.bitcast(builder.add(builder.call(function, arguments), power), llvm)
    return fma(builder.fmul(power, r), p, builder.fsub(power, constant_vector(vector, shift)))


@intrinsic
def vdiv_by_root(typingctx, m, v, epsilon):
    """Return m / (sqrt(v) + epsilon), Adam's step, for a scalar or vector epsilon.

    As in vector.h, 1 / d is the processor's estimate, where it has one, improved by Newton's
    method: of 32 bits by LLVM, which does so if it is allowed to, of 64 bits by what stands here.
    """

    def generate(context, builder, signature, arguments):
        a, b, c = arguments
        least = constant_vector(m, 1.1e-19 if m.dtype.bitwidth == 32 else 1.5e-154)
        c = spread(builder, m, epsilon, c)
        c = select(builder, ">", m, c, least, c, least)
        d = builder.fadd(call(builder, "sqrt", llvm_type(m), [b]), c)
        if m.dtype.bitwidth == 32 or not _has_permutations():
            estimated = ("arcp", "afn", "ninf", "nnan")
            return builder.fmul(a, builder.fdiv(constant_vector(m, 1.0), d, flags=estimated))
        q, two = _estimated_inverse(builder, m, d), constant_vector(m, 2.0)
        minus_d = builder.fneg(d)
        q = builder.fmul(q, call(builder, "fma", llvm_type(m), [minus_d, q, two]))
        e = call(builder, "fma", llvm_type(m), [minus_d, q, two])
        return builder.fmul(builder.fmul(a, q), e)

    return m(m, v, epsilon), generate


def _estimated_inverse(builder, vector, d):
    """1 / d to 14 bits, for doubles, of which LLVM makes no use by itself."""
    llvm, mask = llvm_type(vector), ir.IntType(8)
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(llvm, [llvm, llvm, mask]), "llvm.x86.avx512.rcp14.pd.512"
    )
    return builder.call(function, [d, constant_vector(vector, 0.0), ir.Constant(mask, 255)])


def _sigmoid(builder, vector, a):
    a = builder.fneg(_clamp(builder, vector, a, -1))
    one_plus_exp = _exp_above(builder, vector, a, -1.0)
    return builder.fdiv(constant_vector(vector, 1.0), one_plus_exp)


def _tanh(builder, vector, a):
    two = constant_vector(vector, 2.0)
    size = call(builder, "fabs", llvm_type(vector), [a])
    a2 = _clamp(builder, vector, builder.fmul(constant_vector(vector, -2.0), size))
    e = _exp_minus(builder, vector, a2, 1.0)
    y = builder.fneg(builder.fdiv(e, builder.fadd(two, e)))
    return select(builder, "<", vector, a, constant_vector(vector, 0.0), builder.fneg(y), y)


def _exp(builder, vector, a):
    return _exp_above(builder, vector, _clamp(builder, vector, a), 0.0)


def _exp_or_0(builder, vector, a):
    lowest = constant_vector(vector, EXP_RANGE[vector.dtype.bitwidth][0])
    zero = constant_vector(vector, 0.0)
    return select(builder, "<", vector, a, lowest, zero, _exp(builder, vector, a))


def _expm1(builder, vector, a):
    return _exp_minus(builder, vector, _clamp(builder, vector, a), 1.0)


def _log1p(builder, vector, a):
    """ln(1 + a) for a from 0 to 1, by the series of vector.h."""
    two = constant_vector(vector, 2.0)
    s = builder.fdiv(a, builder.fadd(two, a))
    s2 = builder.fmul(s, s)
    total = constant_vector(vector, 0.0)
    for k in range(15 if vector.dtype.bitwidth == 32 else 33, 1, -2):
        total = builder.fmul(builder.fadd(total, constant_vector(vector, 1 / k)), s2)
    return builder.fmul(two, call(builder, "fma", llvm_type(vector), [s, total, s]))


def _log(builder, vector, a):
    """Logarithm of a normal number from 1 on, as in vector.h."""
    mantissa, bias = (23, 127) if vector.dtype.bitwidth == 32 else (52, 1023)
    integer = ir.VectorType(ir.IntType(vector.dtype.bitwidth), vector.lanes)
    bits, shift = builder.bitcast(a, integer), ir.Constant(integer, [mantissa] * vector.lanes)
    n = builder.sub(builder.lshr(bits, shift), ir.Constant(integer, [bias] * vector.lanes))
    m = builder.bitcast(builder.sub(bits, builder.shl(n, shift)), llvm_type(vector))
    rest = _log1p(builder, vector, builder.fsub(m, constant_vector(vector, 1.0)))
    ln2 = constant_vector(vector, math.log(2))
    n = builder.sitofp(n, llvm_type(vector))
    return call(builder, "fma", llvm_type(vector), [n, ln2, rest])


def _normal(builder, vector, z):
    """P(z) and exp(-z^2 / 2), by the method of vector.h."""
    single = vector.dtype.bitwidth == 32
    shift, largest = (3.375, 13.19) if single else (3.75, 37.62)
    c = NORMAL_TERMS_32 if single else NORMAL_TERMS_64

    def constant(value):
        return constant_vector(vector, value)

    def fma(x, y, z):
        return call(builder, "fma", llvm_type(vector), [x, y, z])

    limit, zero, one = map(constant, (largest, 0.0, 1.0))
    x = call(builder, "fabs", llvm_type(vector), [z])
    x = select(builder, ">", vector, x, limit, limit, x)
    half = builder.fmul(constant(-0.5), builder.fmul(x, x))
    rest = fma(builder.fmul(constant(0.5), x), x, half)
    part, r, power = _exp_parts(builder, vector, half, rest)
    part = builder.fmul(part, r)
    power = select(builder, "<", vector, x, limit, power, zero)
    r = builder.fdiv(one, builder.fadd(x, constant(shift)))
    t = fma(builder.fmul(constant(2.0), x), r, constant(-1.0))
    t2 = builder.fmul(t, t)
    t4 = builder.fmul(t2, t2)

    def pair(k):
        return fma(constant(c[k + 1]), t, constant(c[k]))

    p = zero
    for k in range(len(c) - 4, -1, -4):
        p = fma(p, t4, fma(pair(k + 2), t2, pair(k)))
    p = builder.fmul(r, p)
    p = builder.fmul(power, fma(p, part, p))
    p = select(builder, ">", vector, z, zero, builder.fsub(one, p), p)
    return p, fma(power, part, power)


vexp = unary(_exp)
vexp_or_0 = unary(_exp_or_0)
vexpm1 = unary(_expm1)
vlog1p = unary(_log1p)
vlog = unary(_log)
vsigmoid = unary(_sigmoid)
vtanh = unary(_tanh)


@intrinsic
def vnormal(typingctx, z):
    """Return the standard normal distribution function P(z), and exp(-z^2 / 2)."""
    both = types.UniTuple(z, 2)

    def generate(context, builder, signature, arguments):
        return context.make_tuple(builder, both, _normal(builder, z, arguments[0]))

    return both(z), generate

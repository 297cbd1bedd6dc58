"""A vector type for Numba: LANES reals in one register, as vector.h has it for Cython.

Numba's own loops keep sums in memory; these values live in registers, so that a tile of sums can
be kept there. LLVM splits the vectors on processors with shorter registers.
"""

import math

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic, models, register_model


def _vector_bytes() -> int:
    features = llvmlite.binding.get_host_cpu_features()
    return 64 if features.get("avx512f") else 32 if features.get("avx") else 16


VECTOR_BYTES = _vector_bytes()


class Vector(types.Type):
    """The Numba type of a vector of float32 or float64."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.lanes = VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"Vector({dtype}, {self.lanes})")


def _llvm(vector: Vector) -> ir.VectorType:
    real = ir.FloatType() if vector.dtype.bitwidth == 32 else ir.DoubleType()
    return ir.VectorType(real, vector.lanes)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, _llvm(fe_type))


def _constant(vector, value):
    """Return an LLVM constant with the same value in every lane."""
    llvm = _llvm(vector)
    return ir.Constant(llvm, [value] * vector.lanes)


def _broadcast(builder, vector, scalar):
    llvm = _llvm(vector)
    zero = ir.Constant(ir.IntType(32), 0)
    single = builder.insert_element(ir.Constant(llvm, ir.Undefined), scalar, zero)
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), vector.lanes), [0] * vector.lanes)
    return builder.shuffle_vector(single, ir.Constant(llvm, ir.Undefined), lanes)


def _data(context, builder, kind, value):
    """Return the address of the first element of an array or pointer."""
    if isinstance(kind, types.CPointer):
        return value
    return cgutils.create_struct_proxy(kind)(context, builder, value).data


def address_of(context, builder, kind, value, index):
    """Emit the address of an element of an array or pointer."""
    return builder.gep(_data(context, builder, kind, value), [index])


def _call(builder, name, llvm, arguments, flags=()):
    """Call an LLVM intrinsic on vectors, such as llvm.fma."""
    suffix = f"v{llvm.count}f{32 if isinstance(llvm.element, ir.FloatType) else 64}"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(llvm, [llvm] * len(arguments)), f"llvm.{name}.{suffix}"
    )
    return builder.call(function, arguments, fastmath=flags)


@intrinsic
def pointer(typingctx, array):
    """Return a pointer to an array's first element.

    Kernels work on pointers: each use of an array in a tuple would count a reference to it, with
    an atomic operation that took more time than the arithmetic.
    """

    def generate(context, builder, signature, arguments):
        return _data(context, builder, array, arguments[0])

    return types.CPointer(array.dtype)(array), generate


@intrinsic
def real(typingctx, array, value):
    """Return a float64 as a number of an array's or pointer's dtype."""

    def generate(context, builder, signature, arguments):
        return context.cast(builder, arguments[1], types.float64, array.dtype)

    return array.dtype(array, types.float64), generate


@intrinsic
def lanes(typingctx, array):
    """Return how many of an array's elements make a vector, as a compile-time constant."""

    def generate(context, builder, signature, arguments):
        return ir.Constant(ir.IntType(64), Vector(array.dtype).lanes)

    return types.int64(array), generate


@intrinsic
def load(typingctx, array, index):
    """Return array[index], as a scalar, without the check for a negative index."""

    def generate(context, builder, signature, arguments):
        return builder.load(address_of(context, builder, array, *arguments))

    return array.dtype(array, types.int64), generate


@intrinsic
def vload(typingctx, array, index):
    """Return the vector that begins at array[index]."""
    vector = Vector(array.dtype)

    def generate(context, builder, signature, arguments):
        address = address_of(context, builder, array, *arguments)
        pointer = builder.bitcast(address, _llvm(vector).as_pointer())
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return vector(array, types.int64), generate


@intrinsic
def vstore(typingctx, array, index, vector):
    """Store a vector from array[index] on."""

    def generate(context, builder, signature, arguments):
        address = address_of(context, builder, array, *arguments[:2])
        pointer = builder.bitcast(address, _llvm(vector).as_pointer())
        builder.store(arguments[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, types.int64, vector), generate


@intrinsic
def vsplat(typingctx, scalar):
    """Return a vector with `scalar` in every lane."""
    vector = Vector(scalar)

    def generate(context, builder, signature, arguments):
        return _broadcast(builder, vector, arguments[0])

    return vector(scalar), generate


@intrinsic
def vzero(typingctx, array):
    """Return a vector of zeros of an array's dtype."""
    vector = Vector(array.dtype)

    def generate(context, builder, signature, arguments):
        return _constant(vector, 0.0)

    return vector(array), generate


@intrinsic
def vfma(typingctx, scalar, b, c):
    """Return scalar * b + c, rounded once."""

    def generate(context, builder, signature, arguments):
        a = _broadcast(builder, b, arguments[0])
        return _call(builder, "fma", _llvm(b), [a, *arguments[1:]])

    return b(b.dtype, b, c), generate


@intrinsic
def vmuladd(typingctx, a, b, c):
    """Return a * b + c, rounded once."""

    def generate(context, builder, signature, arguments):
        return _call(builder, "fma", _llvm(a), list(arguments))

    return a(a, b, c), generate


@intrinsic
def vexchange(typingctx, a, distance):
    """Return a with lane i replaced by lane i XOR distance, a literal 1, 2, 4 or 8."""
    if not isinstance(distance, types.IntegerLiteral):
        raise TypingError("vexchange: the distance has to be a literal")

    def generate(context, builder, signature, arguments):
        other = [i ^ distance.literal_value for i in range(a.lanes)]
        # A distance beyond the vector is in a branch that is never taken.
        other = [i % a.lanes for i in other]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), a.lanes), other)
        return builder.shuffle_vector(arguments[0], arguments[0], mask)

    return a(a, distance), generate


def _binary(operation):
    """Return an intrinsic for an operation of the LLVM builder on two vectors."""

    @intrinsic
    def function(typingctx, a, b):
        def generate(context, builder, signature, arguments):
            return getattr(builder, operation)(*arguments)

        return a(a, b), generate

    return function


vadd, vsub, vmul, vdiv = (_binary(name) for name in ("fadd", "fsub", "fmul", "fdiv"))


def _unary(operation):
    @intrinsic
    def function(typingctx, a):
        def generate(context, builder, signature, arguments):
            return operation(builder, a, arguments[0])

        return a(a), generate

    return function


def _select(builder, comparison, vector, a, b, if_true, if_false):
    return builder.select(builder.fcmp_ordered(comparison, a, b), if_true, if_false)


def _positive(builder, vector, a):
    zero, one = _constant(vector, 0.0), _constant(vector, 1.0)
    return _select(builder, ">", vector, a, zero, one, zero)


def _relu(builder, vector, a):
    zero = _constant(vector, 0.0)
    return _select(builder, ">", vector, a, zero, a, zero)


# Of exp(r) = 1 + r p(r): see vector.h.
EXP_TERMS_32 = (1.0, 0.5, 0.166665047, 0.0416664667, 0.00836915523, 0.00139336498)
EXP_TERMS_64 = (
    *(1.0, 0.5000000000000006, 0.1666666666666667, 0.041666666666573066),
    *(0.008333333333326136, 0.001388888893251478, 0.00019841269874820627),
    *(2.480150431378554e-05, 2.7557255400206422e-06),
    *(2.7626371065696354e-07, 2.5105217004720745e-08),
)


def _exp_minus(builder, vector, a, shift):
    """exp(a) - shift, with the method and the constants of vector.h."""
    single = vector.dtype.bitwidth == 32
    mantissa, bias = (23, 127) if single else (52, 1023)
    low, high = (-87.0, 88.0) if single else (-708.0, 709.0)
    if single:
        ln2_high, ln2_low = 0.693359375, -2.12194440e-4
    else:
        ln2_high, ln2_low = 6.93147180369123816490e-01, 1.90821492927058770002e-10
    llvm = _llvm(vector)

    def constant(value):
        return _constant(vector, value)

    def fma(x, y, z):
        return _call(builder, "fma", llvm, [x, y, z])

    a = _select(builder, "<", vector, a, constant(low), constant(low), a)
    a = _select(builder, ">", vector, a, constant(high), constant(high), a)
    magic = constant(1.5 * 2**mantissa)
    shifted = fma(a, constant(1 / math.log(2)), magic)
    n = builder.fsub(shifted, magic)
    r = fma(n, constant(-ln2_low), fma(n, constant(-ln2_high), a))
    r2 = builder.fmul(r, r)
    r4 = builder.fmul(r2, r2)
    c = [constant(term) for term in (EXP_TERMS_32 if single else EXP_TERMS_64)]

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
    power = builder.bitcast(bits, llvm)
    return fma(power, builder.fmul(p, r), builder.fsub(power, constant(shift)))


@intrinsic
def vdiv_by_root(typingctx, m, v, epsilon):
    """Return m / (sqrt(v) + epsilon), Adam's step.

    Allowed to, LLVM takes the processor's estimates of 1 / sqrt(v) and 1 / d where it has some,
    improved by a step of Newton's method, as vector.h does.
    """

    def generate(context, builder, signature, arguments):
        a, b, c = arguments
        tiny = _constant(m, 1e-30 if m.dtype.bitwidth == 32 else 1e-200)
        b = builder.select(builder.fcmp_ordered(">", b, tiny), b, tiny)
        one = _constant(m, 1.0)
        estimated = ("arcp", "afn", "reassoc", "ninf", "nnan", "nsz", "contract")
        root = _call(builder, "sqrt", _llvm(m), [b], estimated)
        inverse_root = builder.fdiv(one, root, flags=estimated)
        d = _call(builder, "fma", _llvm(m), [b, inverse_root, _broadcast(builder, m, c)])
        return builder.fmul(a, builder.fdiv(one, d, flags=estimated))

    return m(m, v, epsilon), generate


def _sigmoid(builder, vector, a):
    one_plus_exp = _exp_minus(builder, vector, builder.fneg(a), -1.0)
    return builder.fdiv(_constant(vector, 1.0), one_plus_exp)


def _tanh(builder, vector, a):
    two = _constant(vector, 2.0)
    size = _call(builder, "fabs", _llvm(vector), [a])
    e = _exp_minus(builder, vector, builder.fmul(_constant(vector, -2.0), size), 1.0)
    y = builder.fneg(builder.fdiv(e, builder.fadd(two, e)))
    return _select(builder, "<", vector, a, _constant(vector, 0.0), builder.fneg(y), y)


def _exp(builder, vector, a):
    return _exp_minus(builder, vector, a, 0.0)


def _expm1(builder, vector, a):
    return _exp_minus(builder, vector, a, 1.0)


def _log1p(builder, vector, a):
    """ln(1 + a) for a from 0 to 1, by the series of vector.h."""
    two = _constant(vector, 2.0)
    s = builder.fdiv(a, builder.fadd(two, a))
    s2 = builder.fmul(s, s)
    total = _constant(vector, 0.0)
    for k in range(15 if vector.dtype.bitwidth == 32 else 33, 1, -2):
        total = builder.fmul(builder.fadd(total, _constant(vector, 1 / k)), s2)
    return builder.fmul(two, _call(builder, "fma", _llvm(vector), [s, total, s]))


def _erf(builder, vector, a):
    """Return the C library's error function, lane by lane."""
    real = _llvm(vector).element
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(real, [real]),
        "erff" if vector.dtype.bitwidth == 32 else "erf",
    )
    for lane in range(vector.lanes):
        at = ir.Constant(ir.IntType(32), lane)
        a = builder.insert_element(a, builder.call(function, [builder.extract_element(a, at)]), at)
    return a


vpositive = _unary(_positive)
vrelu = _unary(_relu)
vabs = _unary(lambda builder, vector, a: _call(builder, "fabs", _llvm(vector), [a]))
vsqrt = _unary(lambda builder, vector, a: _call(builder, "sqrt", _llvm(vector), [a]))
vexp = _unary(_exp)
vexpm1 = _unary(_expm1)
vlog1p = _unary(_log1p)
verf = _unary(_erf)
vsigmoid = _unary(_sigmoid)
vtanh = _unary(_tanh)


@intrinsic
def vif_positive(typingctx, c, a, b):
    """Return a where c > 0, else b."""

    def generate(context, builder, signature, arguments):
        zero = _constant(c, 0.0)
        return builder.select(builder.fcmp_ordered(">", arguments[0], zero), *arguments[1:])

    return a(c, a, b), generate


@intrinsic
def vsum(typingctx, a):
    """Return the sum of a vector's lanes, added in pairs."""

    def generate(context, builder, signature, arguments):
        total, count = arguments[0], a.lanes
        while count > 1:
            half = count // 2
            integers = ir.VectorType(ir.IntType(32), half)
            low = ir.Constant(integers, list(range(half)))
            high = ir.Constant(integers, list(range(half, count)))
            total = builder.fadd(
                builder.shuffle_vector(total, total, low),
                builder.shuffle_vector(total, total, high),
            )
            count = half
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return a.dtype(a), generate

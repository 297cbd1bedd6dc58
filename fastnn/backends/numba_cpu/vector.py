"""A vector type for Numba: LANES reals in one register, as vector.h has it for Cython.

Numba's own loops keep sums in memory; these values live in registers, so that a tile of sums can
be kept there. LLVM splits the vectors on processors with shorter registers.
"""

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


def llvm_type(vector: Vector) -> ir.VectorType:
    """Return LLVM's type of a vector."""
    real = ir.FloatType() if vector.dtype.bitwidth == 32 else ir.DoubleType()
    return ir.VectorType(real, vector.lanes)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, llvm_type(fe_type))


def constant_vector(vector, value):
    """Return an LLVM constant with the same value in every lane."""
    llvm = llvm_type(vector)
    return ir.Constant(llvm, [value] * vector.lanes)


def broadcast(builder, vector, scalar):
    """Emit a vector with a number in every lane."""
    llvm = llvm_type(vector)
    zero = ir.Constant(ir.IntType(32), 0)
    single = builder.insert_element(ir.Constant(llvm, ir.Undefined), scalar, zero)
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), vector.lanes), [0] * vector.lanes)
    return builder.shuffle_vector(single, ir.Constant(llvm, ir.Undefined), lanes)


def spread(builder, vector, kind, value):
    """Emit a value of some kind as a vector, which it may be already."""
    return value if isinstance(kind, Vector) else broadcast(builder, vector, value)


def _data(context, builder, kind, value):
    """Return the address of the first element of an array or pointer."""
    if isinstance(kind, types.CPointer):
        return value
    return cgutils.create_struct_proxy(kind)(context, builder, value).data


def address_of(context, builder, kind, value, index):
    """Emit the address of an element of an array or pointer."""
    return builder.gep(_data(context, builder, kind, value), [index])


def call(builder, name, llvm, arguments, flags=()):
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
def advanced(typingctx, pointer, n):
    """Return a pointer to pointer[n]."""

    def generate(context, builder, signature, arguments):
        return builder.gep(arguments[0], [arguments[1]])

    return pointer(pointer, types.int64), generate


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
        pointer = builder.bitcast(address, llvm_type(vector).as_pointer())
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return vector(array, types.int64), generate


@intrinsic
def vstore(typingctx, array, index, vector):
    """Store a vector from array[index] on."""

    def generate(context, builder, signature, arguments):
        address = address_of(context, builder, array, *arguments[:2])
        pointer = builder.bitcast(address, llvm_type(vector).as_pointer())
        builder.store(arguments[2], pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, types.int64, vector), generate


@intrinsic
def store_alone(typingctx, array, index, value):
    """Store array[index] = value in no vector.

    Of a loop of stores far apart LLVM makes scatters: 0.27 microseconds for 300 numbers on Zen 4,
    where these take 0.09.
    """

    def generate(context, builder, signature, arguments):
        address = address_of(context, builder, array, *arguments[:2])
        builder.store_atomic(arguments[2], address, "unordered", array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, types.int64, array.dtype), generate


@intrinsic
def vload_half(typingctx, array, index):
    """Return half a vector that begins at array[index], and 0 in the other lanes."""
    vector = Vector(array.dtype)

    def generate(context, builder, signature, arguments):
        address = address_of(context, builder, array, *arguments)
        half = ir.VectorType(llvm_type(vector).element, vector.lanes // 2)
        found = builder.load(
            builder.bitcast(address, half.as_pointer()), align=array.dtype.bitwidth // 8
        )
        zeros = ir.Constant(half, [0.0] * half.count)
        places = ir.VectorType(ir.IntType(32), vector.lanes)
        return builder.shuffle_vector(found, zeros, ir.Constant(places, list(range(vector.lanes))))

    return vector(array, types.int64), generate


@intrinsic
def vstore_half(typingctx, array, index, vector):
    """Store the first half of a vector from array[index] on."""

    def generate(context, builder, signature, arguments):
        address = address_of(context, builder, array, *arguments[:2])
        n = vector.lanes // 2
        places = ir.Constant(ir.VectorType(ir.IntType(32), n), list(range(n)))
        half = builder.shuffle_vector(arguments[2], arguments[2], places)
        pointer = builder.bitcast(address, half.type.as_pointer())
        builder.store(half, pointer, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, types.int64, vector), generate


@intrinsic
def fetch(typingctx, array, first, end):
    """Ask for array[first:end], which will soon be read."""

    def generate(context, builder, signature, arguments):
        byte, integer = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, integer, integer, integer])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        _, low, high = arguments
        line = ir.Constant(ir.IntType(64), max(1, 64 * 8 // array.dtype.bitwidth))
        with cgutils.for_range_slice(builder, low, high, line) as (index, _):
            at = builder.bitcast(address_of(context, builder, array, arguments[0], index), byte)
            builder.call(prefetch, [at, *(ir.Constant(integer, n) for n in (0, 3, 1))])
        return context.get_dummy_value()

    return types.none(array, types.int64, types.int64), generate


@intrinsic
def vsplat(typingctx, scalar):
    """Return a vector with `scalar` in every lane; what is a vector stays as it is."""
    vector = scalar if isinstance(scalar, Vector) else Vector(scalar)

    def generate(context, builder, signature, arguments):
        return spread(builder, vector, scalar, arguments[0])

    return vector(scalar), generate


@intrinsic
def vzero(typingctx, array):
    """Return a vector of zeros of an array's dtype."""
    vector = Vector(array.dtype)

    def generate(context, builder, signature, arguments):
        return constant_vector(vector, 0.0)

    return vector(array), generate


@intrinsic
def vfma(typingctx, a, b, c):
    """Return a * b + c, rounded once, for a scalar or vector a."""
    kind = a if isinstance(a, Vector) else b.dtype

    def generate(context, builder, signature, arguments):
        first = spread(builder, b, kind, arguments[0])
        return call(builder, "fma", llvm_type(b), [first, *arguments[1:]])

    return b(kind, b, c), generate


@intrinsic
def vmuladd(typingctx, a, b, c):
    """Return a * b + c, rounded once."""

    def generate(context, builder, signature, arguments):
        return call(builder, "fma", llvm_type(a), list(arguments))

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


def unary(operation):
    """Return an intrinsic for an operation on a vector."""

    @intrinsic
    def function(typingctx, a):
        def generate(context, builder, signature, arguments):
            return operation(builder, a, arguments[0])

        return a(a), generate

    return function


def select(builder, comparison, vector, a, b, if_true, if_false):
    """Emit a choice, lane by lane; a NaN compares false."""
    return builder.select(builder.fcmp_ordered(comparison, a, b), if_true, if_false)


def _positive(builder, vector, a):
    zero, one = constant_vector(vector, 0.0), constant_vector(vector, 1.0)
    return select(builder, ">", vector, a, zero, one, zero)


def _relu(builder, vector, a):
    zero = constant_vector(vector, 0.0)
    return select(builder, ">", vector, a, zero, a, zero)


vpositive = unary(_positive)
vrelu = unary(_relu)
vneg = unary(lambda builder, vector, a: builder.fneg(a))
vabs = unary(lambda builder, vector, a: call(builder, "fabs", llvm_type(vector), [a]))
vsqrt = unary(lambda builder, vector, a: call(builder, "sqrt", llvm_type(vector), [a]))


@intrinsic
def vif_positive(typingctx, c, a, b):
    """Return a where c > 0, else b."""

    def generate(context, builder, signature, arguments):
        zero = constant_vector(c, 0.0)
        return builder.select(builder.fcmp_ordered(">", arguments[0], zero), *arguments[1:])

    return a(c, a, b), generate


def _reduced(combine):
    """Return an intrinsic that makes one number of a vector's lanes, in pairs."""

    @intrinsic
    def function(typingctx, a):
        def generate(context, builder, signature, arguments):
            total, count = arguments[0], a.lanes
            while count > 1:
                half = count // 2
                integers = ir.VectorType(ir.IntType(32), half)
                low = ir.Constant(integers, list(range(half)))
                high = ir.Constant(integers, list(range(half, count)))
                total = combine(
                    builder,
                    builder.shuffle_vector(total, total, low),
                    builder.shuffle_vector(total, total, high),
                )
                count = half
            return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

        return a.dtype(a), generate

    return function


def _larger(builder, a, b):
    """Emit the larger lanes; b if either is NaN."""
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


vsum = _reduced(lambda builder, a, b: builder.fadd(a, b))
vlargest = _reduced(_larger)


@intrinsic
def vmax(typingctx, a, b):
    """Return the larger lanes; those of b if either is NaN."""

    def generate(context, builder, signature, arguments):
        return _larger(builder, *arguments)

    return a(a, b), generate


@intrinsic
def vfirst(typingctx, a, n, other):
    """Return the first n lanes of a, and `other` in the rest."""

    def generate(context, builder, signature, arguments):
        lane = ir.Constant(ir.VectorType(ir.IntType(64), a.lanes), list(range(a.lanes)))
        single = builder.insert_element(
            ir.Constant(lane.type, ir.Undefined), arguments[1], ir.Constant(ir.IntType(32), 0)
        )
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), a.lanes), [0] * a.lanes)
        n_lanes = builder.shuffle_vector(single, ir.Constant(lane.type, ir.Undefined), zeros)
        is_first = builder.icmp_signed("<", lane, n_lanes)
        rest = broadcast(builder, a, arguments[2])
        return builder.select(is_first, arguments[0], rest)

    return a(a, types.int64, a.dtype), generate

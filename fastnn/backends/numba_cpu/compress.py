"""Values that are not 0, one behind the other, with Numba; it follows cython_cpu/compress.h."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from .vector import address_of


def _has_blocks():
    """Say whether the processor that is compiled for moves lanes together."""
    features = cpu_target.target_context.codegen().magic_tuple()[2]
    return all(f"+{name}" in features for name in ("avx512f", "avx512bw", "avx512vl"))


def _lanes(array):
    """Return how many elements make a block: a vector of reals, or as many bytes as float32."""
    return 16 if array.dtype.bitwidth < 64 else 8


def _load(context, builder, array, value, index):
    """Emit a block of elements of an array or pointer."""
    address = address_of(context, builder, array, value, index)
    vector = ir.VectorType(address.type.pointee, _lanes(array))
    return builder.load(builder.bitcast(address, vector.as_pointer()), align=_bytes(array))


def _store(context, builder, array, value, index, vector):
    """Emit a store of a block of elements."""
    address = address_of(context, builder, array, value, index)
    builder.store(vector, builder.bitcast(address, vector.type.as_pointer()), align=_bytes(array))


def _bytes(array):
    return array.dtype.bitwidth // 8


def _compressed(builder, vector, used):
    """Emit the lanes in use, one behind the other, and then zeros."""
    if not _has_blocks():  # then nobody calls it, but it is compiled
        return vector
    element = vector.type.element
    kind = {ir.FloatType(): "f32", ir.DoubleType(): "f64"}.get(element, "i32")
    mask = ir.VectorType(ir.IntType(1), vector.type.count)
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(vector.type, [vector.type, vector.type, mask]),
        f"llvm.x86.avx512.mask.compress.v{vector.type.count}{kind}",
    )
    bits = builder.trunc(used, ir.IntType(vector.type.count))
    return builder.call(
        function, [vector, ir.Constant(vector.type, None), builder.bitcast(bits, mask)]
    )


@intrinsic
def block(typingctx, array):
    """Return how many elements make a block, as a compile-time constant; 0: there are none."""

    def generate(context, builder, signature, arguments):
        return ir.Constant(ir.IntType(64), _lanes(array) if _has_blocks() else 0)

    return types.int64(array), generate


@intrinsic
def used_lanes(typingctx, array, index):
    """Return which elements of the block at array[index] are not 0: a bit for each."""

    def generate(context, builder, signature, arguments):
        x = _load(context, builder, array, *arguments)
        zero = ir.Constant(x.type, None)
        if isinstance(array.dtype, types.Float):
            used = builder.fcmp_unordered("!=", x, zero)  # NaN is not 0
        else:
            used = builder.icmp_unsigned("!=", x, zero)
        bits = builder.bitcast(used, ir.IntType(x.type.count))
        return builder.zext(bits, ir.IntType(64))

    return types.int64(array, types.int64), generate


@intrinsic
def count_lanes(typingctx, used):
    """Return how many bits are set."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), generate


@intrinsic
def store_used(typingctx, array, index, used, values, found):
    """Store the used lanes of the block at array[index] from values[found] on."""

    def generate(context, builder, signature, arguments):
        x = _load(context, builder, array, *arguments[:2])
        if isinstance(array.dtype, types.Float):
            packed = _compressed(builder, x, arguments[2])
        else:
            wide = builder.zext(x, ir.VectorType(ir.IntType(32), x.type.count))
            packed = builder.trunc(_compressed(builder, wide, arguments[2]), x.type)
        _store(context, builder, values, arguments[3], arguments[4], packed)
        return context.get_dummy_value()

    return types.none(array, types.int64, types.int64, values, types.int64), generate


@intrinsic
def store_places(typingctx, array, used, columns, found, k):
    """Store k plus the number of each used lane of a block of array, from columns[found] on."""

    def generate(context, builder, signature, arguments):
        vector = ir.VectorType(ir.IntType(32), _lanes(array))
        first = builder.trunc(arguments[4], vector.element)
        start = builder.insert_element(ir.Constant(vector, None), first, ir.IntType(32)(0))
        spread = ir.Constant(vector, [0] * vector.count)
        places = builder.add(
            builder.shuffle_vector(start, start, spread),
            ir.Constant(vector, list(range(vector.count))),
        )
        packed = _compressed(builder, places, arguments[1])
        if columns.dtype.bitwidth < 32:
            narrow = ir.IntType(columns.dtype.bitwidth)
            packed = builder.trunc(packed, ir.VectorType(narrow, vector.count))
        _store(context, builder, columns, arguments[2], arguments[3], packed)
        return context.get_dummy_value()

    return types.none(array, types.int64, columns, types.int64, types.int64), generate

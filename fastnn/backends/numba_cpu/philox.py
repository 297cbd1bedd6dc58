"""Random words in vectors: `formulas.philox` for as many blocks as fill two vectors.

Numba's loop over the blocks of a row took more than twice as long as the product that it follows.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .vector import Vector, broadcast, constant_vector, llvm_type

_LOW = 0xFFFFFFFF


@intrinsic
def vkeep(typingctx, keep, limit, first, row, step, stream, seed):
    """Return two vectors of factors for dropout: 0 where a unit's word is below `limit`, else keep.

    The words are those of the counters (first, row, step, stream), (first + 1, row, ...) and so on.
    """
    vector = Vector(keep)

    def generate(context, builder, signature, arguments):
        bound = context.cast(builder, arguments[1], signature.args[1], types.uint32)
        zero, kept = constant_vector(vector, 0.0), broadcast(builder, vector, arguments[0])
        halves = _words(context, builder, vector.lanes, signature.args[2:], arguments[2:])
        factors = []
        for words in halves:
            dropped = builder.icmp_unsigned("<", words, _splat(builder, bound, words.type))
            factors.append(builder.select(dropped, zero, kept))
        return context.make_tuple(builder, signature.return_type, factors)

    pair = types.UniTuple(vector, 2)
    return pair(keep, limit, first, row, step, stream, seed), generate


@intrinsic
def vuniform(typingctx, array, first, row, step, stream, seed):
    """Return two vectors of numbers from U(-1, 1) of an array's dtype; the words are as above."""
    vector = Vector(array.dtype)

    def generate(context, builder, signature, arguments):
        scale, one = constant_vector(vector, 2.0**-31), constant_vector(vector, 1.0)
        halves = _words(context, builder, vector.lanes, signature.args[1:], arguments[1:])
        numbers = (builder.uitofp(words, llvm_type(vector)) for words in halves)
        values = [builder.fsub(builder.fmul(number, scale), one) for number in numbers]
        return context.make_tuple(builder, signature.return_type, values)

    pair = types.UniTuple(vector, 2)
    return pair(array, first, row, step, stream, seed), generate


def _words(context, builder, lanes, kinds, arguments):
    """Emit two vectors of words, the four of a block one after the other."""
    n = 2 * lanes // 4
    wide, narrow = ir.VectorType(ir.IntType(64), n), ir.VectorType(ir.IntType(32), n)
    first, row, step, stream, seed = (
        _splat(builder, context.cast(builder, value, kind, types.uint64), wide)
        for value, kind in zip(arguments, kinds, strict=True)
    )
    low, half = ir.Constant(wide, [_LOW] * n), ir.Constant(wide, [32] * n)
    c0 = builder.add(first, ir.Constant(wide, list(range(n))))
    c0, c1, c2, c3 = (builder.and_(c, low) for c in (c0, row, step, stream))
    k0, k1 = builder.and_(seed, low), builder.lshr(seed, half)
    for _ in range(10):
        p0 = builder.mul(c0, ir.Constant(wide, [0xD2511F53] * n))
        p1 = builder.mul(c2, ir.Constant(wide, [0xCD9E8D57] * n))
        c0 = builder.xor(builder.xor(builder.lshr(p1, half), c1), k0)
        c2 = builder.xor(builder.xor(builder.lshr(p0, half), c3), k1)
        c1, c3 = builder.and_(p1, low), builder.and_(p0, low)
        k0 = builder.and_(builder.add(k0, ir.Constant(wide, [0x9E3779B9] * n)), low)
        k1 = builder.and_(builder.add(k1, ir.Constant(wide, [0xBB67AE85] * n)), low)
    c0, c1, c2, c3 = (builder.trunc(c, narrow) for c in (c0, c1, c2, c3))
    one_after_the_other = _indices(range(2 * n))
    front = builder.shuffle_vector(c0, c1, one_after_the_other)
    back = builder.shuffle_vector(c2, c3, one_after_the_other)
    block_by_block = [j * n + q for q in range(n) for j in range(4)]
    return [
        builder.shuffle_vector(front, back, _indices(half))
        for half in (block_by_block[:lanes], block_by_block[lanes:])
    ]


def _indices(numbers):
    """Return what a shuffle takes from two vectors."""
    values = list(numbers)
    return ir.Constant(ir.VectorType(ir.IntType(32), len(values)), values)


def _splat(builder, scalar, vector):
    """Emit a vector of integers with a number in every lane."""
    undefined = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(single, undefined, _indices([0] * vector.count))

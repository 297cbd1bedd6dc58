"""How the processor treats the smallest numbers; cython_cpu/processor.h says why."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

FLUSH_SSE = 0x8040  # results and operands: bits of x86's MXCSR
FLUSH_ARM = 1 << 24  # of FPCR


def _processor() -> str:
    """Return the kind of processor that is compiled for: x86_64, aarch64, arm64 or another."""
    return cpu_target.target_context.codegen().magic_tuple()[0].split("-")[0]


def _call(builder, name, result, *arguments):
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _sse(builder, name, place):
    byte = ir.IntType(8).as_pointer()
    _call(builder, f"llvm.x86.sse.{name}", ir.VoidType(), builder.bitcast(place, byte))


@intrinsic
def flush_denormals(typingctx):
    """Take denormal numbers for 0 in this thread; return what `restore_denormals` needs."""

    def generate(context, builder, signature, arguments):
        word, long = ir.IntType(32), ir.IntType(64)
        before = ir.Constant(long, 0)
        if _processor() == "x86_64":
            place = cgutils.alloca_once(builder, word)
            _sse(builder, "stmxcsr", place)
            mode = builder.load(place)
            before = builder.zext(mode, long)
            builder.store(builder.or_(mode, ir.Constant(word, FLUSH_SSE)), place)
            _sse(builder, "ldmxcsr", place)
        elif _processor() in ("aarch64", "arm64"):
            before = _call(builder, "llvm.aarch64.get.fpcr", long)
            mode = builder.or_(before, ir.Constant(long, FLUSH_ARM))
            _call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), mode)
        return before

    return types.int64(), generate


@intrinsic
def restore_denormals(typingctx, before):
    """Treat denormal numbers as before."""

    def generate(context, builder, signature, arguments):
        if _processor() == "x86_64":
            place = cgutils.alloca_once(builder, ir.IntType(32))
            builder.store(builder.trunc(arguments[0], ir.IntType(32)), place)
            _sse(builder, "ldmxcsr", place)
        elif _processor() in ("aarch64", "arm64"):
            _call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), arguments[0])
        return context.get_dummy_value()

    return types.none(types.int64), generate

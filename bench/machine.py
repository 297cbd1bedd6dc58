"""What is measured on."""

import os
import platform

SIMD = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512_bf16", "asimd", "sve")


def processor() -> str:
    """Return the processor's name and its vector extensions; without py-cpuinfo its kind only."""
    try:
        import cpuinfo
    except ImportError:
        return platform.processor() or platform.machine()
    info = cpuinfo.get_cpu_info()
    flags = [flag for flag in SIMD if flag in info.get("flags", ())]
    return f"{info.get('brand_raw', platform.machine())} ({' '.join(flags)})"


def machine() -> str:
    """Return the machine in a line."""
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{processor()}, {os.cpu_count()} processors, {system}"

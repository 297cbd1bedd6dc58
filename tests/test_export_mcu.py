"""C headers compiled for microcontrollers, a Cortex-M0 and an AVR, and run on QEMU's Cortex-M0."""

import re
import shutil
import subprocess

import pytest
from export_cases import STRICT_C, network

from fastnn.export import to_c

ARM, AVR, QEMU = "arm-none-eabi-gcc", "avr-gcc", "qemu-system-arm"
# The memory of BBC micro:bit, what runs before `main`, and how QEMU is told of its result.
MEMORY = """
MEMORY { flash (rx) : ORIGIN = 0, LENGTH = 256K  ram (rwx) : ORIGIN = 0x20000000, LENGTH = 16K }
SECTIONS {
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } > flash
    .ARM.exidx : { *(.ARM.exidx*) } > flash
    .data : { data_start = .; *(.data*) . = ALIGN(4); data_end = .; } > ram AT > flash
    data_load = LOADADDR(.data);
    .bss : { bss_start = .; *(.bss*) *(COMMON) . = ALIGN(4); bss_end = .; end = .; } > ram
}
"""
START = """
extern int main(void);
extern unsigned data_start, data_end, data_load, bss_start, bss_end;
void reset(void);
void reset(void)
{
    unsigned *from = &data_load, *to;
    for (to = &data_start; to < &data_end;) *to++ = *from++;
    for (to = &bss_start; to < &bss_end;) *to++ = 0;
    const unsigned status = main() ? 0x20023 : 0x20026;
    __asm__ volatile("mov r1, %0\\n movs r0, #0x18\\n bkpt 0xab" : : "r"(status) : "r0", "r1");
}
__attribute__((section(".vectors"), used)) void *const vectors[2] = {
    (void *)0x20004000, (void *)reset};
"""
CASES = [("float32", "relu"), ("float32", "tanh"), ("int8", "relu"), ("int8", "tanh")]


@pytest.fixture(params=CASES, ids="-".join)
def folder(request, tmp_path):
    """Return a folder with net.h."""
    dtype, activation = request.param
    model, X = network(
        "classes", (8,), activation, dtype="float32", is_bytes=True, input_scale=1 / 255
    )
    to_c(model, tmp_path / "net.h", samples=X, dtype=dtype)
    return tmp_path


def call(folder, *command):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)


@pytest.mark.skipif(not shutil.which(ARM), reason="needs gcc-arm-none-eabi and its newlib")
@pytest.mark.parametrize("is_right", [True, False])
def test_cortex_m0(folder, is_right):
    (folder / "memory.ld").write_text(MEMORY)
    (folder / "start.c").write_text(START)
    if not is_right:
        text = (folder / "net.h").read_text()
        wrong = re.sub(r"(test_labels\[NET_N_TESTS\]\[1\] = \{\n    \{)\d", r"\g<1>9", text)
        assert wrong != text
        (folder / "net.h").write_text(wrong)
    machine = ["-mcpu=cortex-m0", "-mthumb", "-Os"]
    compile_net = [*STRICT_C, *machine, "-DNET_TEST", "-x", "c", "-c", "net.h", "-o", "net.o"]
    done = call(folder, ARM, *compile_net)
    assert done.returncode == 0, done.stderr
    specs = ["--specs=nano.specs", "--specs=nosys.specs"]
    link = [*machine, "start.c", "net.o", "-nostartfiles", "-T", "memory.ld", *specs, "-lm"]
    done = call(folder, ARM, *link, "-o", "net.elf")
    assert done.returncode == 0, done.stderr
    if not shutil.which(QEMU):
        pytest.skip("compiled, not run: needs qemu-system-arm")
    board = ["-M", "microbit", "-nographic", "-semihosting"]
    assert (call(folder, QEMU, *board, "-kernel", "net.elf").returncode == 0) == is_right


@pytest.mark.skipif(not shutil.which(AVR), reason="needs gcc-avr and avr-libc")
def test_avr(folder):
    command = [*STRICT_C, "-mmcu=atmega328p", "-Os", "-DNET_TEST", "-x", "c", "net.h", "-lm"]
    done = call(folder, AVR, *command, "-o", "net.elf")
    assert done.returncode == 0, done.stderr

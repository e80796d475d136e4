"""Let the clock of a running program be wrong: clock.py PID SECONDS (-128 to 127). x86-64 only.

Lab machines share the host's clock, and no namespace shifts that of the day. But programs ask for
it through a page that the kernel lends to each of them (vdso(7)): here that page's clock_gettime
is overwritten, for this one process, until it ends. What it makes of its clock is its own doing.
"""

import platform
import struct
import sys
from pathlib import Path

CODE = (
    "b8 e4 00 00 00"  # mov eax, 228: clock_gettime as the system call that it is
    "0f 05"  # syscall
    "85 ff"  # test edi, edi
    "75 04"  # jnz to the end, where another clock than CLOCK_REALTIME (0) was asked for
    "48 83 06 %02x"  # add qword [rsi], SECONDS
    "c3"  # ret
)
SECTION = struct.Struct("<IIQQQQIIQQ")  # elf(5): Elf64_Shdr
SYMBOL = struct.Struct("<IBBHQQ")  # Elf64_Sym
DYNSYM = 11  # SHT_DYNSYM


def place(image: bytes, name: str) -> int:
    """Where a function begins in the image of a shared object."""
    (table,) = struct.unpack_from("<Q", image, 40)
    size, number = struct.unpack_from("<HH", image, 58)
    sections = [SECTION.unpack_from(image, table + size * one) for one in range(number)]
    symbols = next(section for section in sections if section[1] == DYNSYM)
    names = sections[symbols[6]][4]
    for at in range(symbols[4], symbols[4] + symbols[5], SYMBOL.size):
        word, _, _, _, value, _ = SYMBOL.unpack_from(image, at)
        if image[names + word :].split(b"\0", 1)[0] == name.encode():
            return int(value)
    sys.exit(f"clock: there is no {name}")


def main() -> None:
    """Overwrite it."""
    if platform.machine() != "x86_64":
        sys.exit(f"clock: no code for {platform.machine()}")
    pid, seconds = (int(word) for word in sys.argv[1:])
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    lent = next(line for line in maps if line.endswith("[vdso]"))
    begin, end = (int(word, 16) for word in lent.split()[0].split("-"))
    with Path(f"/proc/{pid}/mem").open("r+b", buffering=0) as memory:
        memory.seek(begin)
        at = place(memory.read(end - begin), "__vdso_clock_gettime")
        memory.seek(begin + at)
        memory.write(bytes.fromhex(CODE % (seconds & 0xFF)))


if __name__ == "__main__":
    main()

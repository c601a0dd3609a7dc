"""Looks for a day's key where it must not be: in the memory of a process, and in anything that is written down.

Half a key is as bad as a key, and so is the state of BLAKE2b after the key's block, which every hash under that key
goes on from: both are looked for, word by word. The state is computed here, by RFC 7693, from nothing of ours.
"""

from __future__ import annotations

import base64
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from collector.count.filter import SharedMemory

NAME = "/memfd:collector-epoch"
PARAMETERS = ((8, b""), (48, b""), (16, b"open value"))  # digest size and person of seeds, cells, open values
MASK = (1 << 64) - 1
IV = (
    0x6A09E667F3BCC908,
    0xBB67AE8584CAA73B,
    0x3C6EF372FE94F82B,
    0xA54FF53A5F1D36F1,
    0x510E527FADE682D1,
    0x9B05688C2B3E6C1F,
    0x1F83D9ABFB41BD6B,
    0x5BE0CD19137E2179,
)
SIGMA = [
    [int(sign, 16) for sign in row]
    for row in (
        "0123456789abcdef",
        "ea489fd61c02b753",
        "b8c052fdae367194",
        "7931dcbe265a40f8",
        "905724afe1bc683d",
        "2c6a0b834d75fe19",
        "c51fed4a0763928b",
        "db7ec13950f4862a",
        "6fe9b308c2d714a5",
        "a2847615fb9e3cd0",
    )
]
MIXED = (
    *((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)),
    *((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)),
)


def words_of(key: bytes) -> list[bytes]:
    """The key's words and those of the states it leads to: eight bytes each, none of which is anywhere by chance."""
    states = [word for parameters in PARAMETERS for word in state_after(key, *parameters)]
    return [*struct.unpack("8s8s8s8s", key), *(struct.pack("<Q", word) for word in states)]


def state_after(key: bytes, digest_bytes: int, person: bytes) -> list[int]:
    """BLAKE2b's state after the block of the key."""
    block = struct.pack("<BBBBIQBB14s16s16s", digest_bytes, len(key), 1, 1, 0, 0, 0, 0, b"", b"", person)
    start = [one ^ other for one, other in zip(IV, struct.unpack("<8Q", block), strict=True)]
    return compressed(start, key.ljust(128, b"\0"), 128, last=False)


def compressed(state: list[int], block: bytes, counter: int, *, last: bool) -> list[int]:
    """RFC 7693, 3.2: the function F."""
    message = struct.unpack("<16Q", block)
    v = [*state, *IV]
    v[12] ^= counter
    v[14] ^= MASK if last else 0
    for number in range(12):
        chosen = iter(SIGMA[number % 10])
        for a, b, c, d in MIXED:
            for first, second in ((32, 24), (16, 63)):
                v[a] = v[a] + v[b] + message[next(chosen)] & MASK
                v[d] = _rotated(v[d] ^ v[a], first)
                v[c] = v[c] + v[d] & MASK
                v[b] = _rotated(v[b] ^ v[c], second)
    return [state[n] ^ v[n] ^ v[n + 8] for n in range(8)]


def _rotated(word: int, by: int) -> int:
    return word >> by | word << 64 - by & MASK


# --- where to look ----------------------------------------------------------------------------------------------------


def epoch_fds(pid: int) -> list[Path]:
    """Under which names in /proc a process has the epoch's memory open."""
    return [path for path in Path(f"/proc/{pid}/fd").iterdir() if str(path.readlink()).startswith(NAME)]


def epoch_memory(pid: int) -> SharedMemory:
    """The epoch's memory of a running process."""
    return SharedMemory(os.open(epoch_fds(pid)[0], os.O_RDWR))


def mappings(pid: int) -> Iterator[tuple[str, int, int, list[str]]]:
    """Name, start, end and flags of everything that a process has mapped."""
    of_mapping = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$")
    name, start, end = "", 0, 0
    for line in Path(f"/proc/{pid}/smaps").read_text("utf-8").splitlines():
        if found := of_mapping.match(line):
            start, end, name = int(found[1], 16), int(found[2], 16), found[4]
        elif line.startswith("VmFlags:"):
            yield name, start, end, line.split()[1:]


def found_in_memory(pid: int, words: list[bytes]) -> set[str]:
    """In which mappings that a process may write to any of these words stands, program and libraries left out."""
    pattern = re.compile(b"|".join(map(re.escape, words)))
    found = set()
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for name, start, end, flags in mappings(pid):
            if "wr" in flags and "rd" in flags:
                memory.seek(start)
                if pattern.search(_read(memory.fileno(), end - start)):
                    found.add(name)
    return found


def _read(fd: int, size: int) -> bytes:
    pieces = []
    while size and (piece := os.read(fd, size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def spellings(key: bytes) -> list[bytes]:
    """A key as it could have been written down, either way round."""
    forms = [form for each in (key, key[::-1]) for form in (each, each.hex().encode(), base64.b64encode(each)[:40])]
    return [*forms, *(str(int.from_bytes(key, order)).encode() for order in ("big", "little")), str(list(key)).encode()]

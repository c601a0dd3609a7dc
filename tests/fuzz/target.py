"""What a fuzz target is, and how its inputs are varied where no coverage guides."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

CANARY = "zq9canary"  # in seeds where a stranger writes: no answer and nothing kept may have it
MAX_BYTES = 8_192
_MOST_CHANGES = 4

Try = Callable[[bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something that reads bytes.

    opened  what tries one input, for the block; it raises if a promise is broken
    seeds   inputs to begin with, and `words` that are worth putting into one
    """

    name: str
    opened: Callable[[], AbstractContextManager[Try]]
    seeds: Callable[[], Iterable[bytes]]
    words: Sequence[bytes] = ()


def plain(try_it: Try) -> Callable[[], AbstractContextManager[Try]]:
    """`opened` of a target that needs nothing around it."""

    @contextmanager
    def opened() -> Iterator[Try]:
        yield try_it

    return opened


def varied(seeds: Sequence[bytes], words: Sequence[bytes], dice: random.Random) -> bytes:
    """One of the seeds with a few changes."""
    data = bytearray(dice.choice(seeds))
    for _ in range(dice.randint(1, _MOST_CHANGES)):
        at = dice.randint(0, len(data))
        until = min(len(data), at + dice.choice((1, 1, 2, 4, 16, 200)))
        match dice.randrange(6):
            case 0 if at < len(data):
                data[at] ^= 1 << dice.randrange(8)
            case 1:
                data[at:at] = dice.randbytes(dice.choice((1, 1, 2, 8)))
            case 2:
                del data[at:until]
            case 3:
                data[at:at] = data[at:until] * dice.choice((1, 2, 9))
            case 4:
                other = dice.choice(seeds)
                begin = dice.randint(0, len(other))
                data[at:until] = other[begin : begin + dice.choice((4, 40, 400))]
            case 5 if words:
                data[at : dice.choice((at, until))] = dice.choice(words)
            case _:
                data[at:until] = bytes([dice.choice(b"\0\t\n\r %/:;,.0\x7f\xc3\xff")])
    return bytes(data[:MAX_BYTES])

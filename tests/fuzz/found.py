"""Inputs that broke a promise once, each as small as it could be made: rows of tests/data/fuzz_found.jsonl.

{"target": NAME, "why": what was broken, "data": the input, each byte as the character of that number}
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import orjson

from tests.fuzz.target import Target, Try

FILE = Path(__file__).parent.parent / "data" / "fuzz_found.jsonl"
_TRIES = 3_000


class Found(NamedTuple):
    """One row."""

    target: str
    why: str
    data: bytes


def rows() -> list[Found]:
    """Everything that was ever found."""
    lines = map(orjson.loads, FILE.read_bytes().splitlines())
    return [Found(line["target"], line["why"], line["data"].encode("latin-1")) for line in lines]


def keep(found: Found) -> None:
    """Add a row; raises OSError."""
    line = orjson.dumps(found._asdict() | {"data": found.data.decode("latin-1")})
    with FILE.open("ab") as file:
        file.write(line + b"\n")


def smaller(target: Target, data: bytes) -> Found | None:
    """The same failure by fewer bytes; None where the input breaks nothing."""
    with target.opened() as try_it:
        why = _failure(try_it, data)
        if why is None:
            return None
        size, tries = max(1, len(data) // 2), 0
        while size and tries < _TRIES:
            at = 0
            while at < len(data) and tries < _TRIES:
                less = data[:at] + data[at + size :]
                tries += 1
                if _failure(try_it, less) == why:
                    data = less
                else:
                    at += size
            size //= 2
    return Found(target.name, why, data)


def _failure(try_it: Try, data: bytes) -> str | None:
    try:
        try_it(data)
    except Exception as error:  # noqa: BLE001 - whatever an input raises is what was found
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None

"""Values that must not be found anywhere, in every form they could have been written down in.

`Canaries.in_bytes` and `in_text` say which of them are there. An address is looked for as text and packed, in both byte
orders, as a decimal number, in hex and in base64. The four packed bytes of an IPv4 address are found in random bytes by
accident, once in four thousand million places: a few megabytes of files are one false alarm in a thousand runs.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

ADDRESS = "203.0.113.77"
ADDRESS_6 = "2001:db8:5ca1:ab1e::77"
PEER = "127.77.66.55"
ADDRESSES = (ADDRESS, ADDRESS_6, PEER)


class Canaries:
    """One test's canaries: three addresses and words nobody could guess."""

    def __init__(self) -> None:
        self.agent = f"Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0 agent{secrets.token_hex(8)}"
        self.referrer_path = f"ref{secrets.token_hex(8)}"
        self.query = f"query{secrets.token_hex(8)}"
        self.body = f"body{secrets.token_hex(8)}"
        words = (self.agent, self.agent[-21:], self.referrer_path, self.query, self.body)
        self._forms = {form.lower(): f"{each} as {how}" for each in ADDRESSES for how, form in _spellings(each)}
        self._forms |= {form.lower(): word for word in (*words, *ADDRESSES) for form in _texts(word.encode())}
        self._raw = {form: f"{address} as {how}" for address in ADDRESSES for how, form in _packed(address)}

    def in_text(self, text: bytes) -> set[str]:
        """Which of them are in something people read, in any case."""
        lowered = text.lower()
        return {what for form, what in self._forms.items() if form in lowered}

    def in_bytes(self, data: bytes) -> set[str]:
        """Which of them are in the bytes of a file, as text or packed."""
        return self.in_text(data) | {what for form, what in self._raw.items() if form in data}

    def below(self, folder: Path) -> dict[str, set[str]]:
        """Which of them are in which files below a folder, names of files included."""
        found = {}
        for path in sorted(folder.rglob("*")):
            try:
                data = path.read_bytes() if path.is_file() else b""
            except FileNotFoundError:  # a part that was merged away meanwhile
                continue
            if here := self.in_bytes(str(path.relative_to(folder)).encode() + b"\n" + data):
                found[str(path)] = here
        return found


def _texts(word: bytes) -> Iterator[bytes]:
    """A word, and what it looks like in hex and in the middle of base64."""
    yield word
    yield word.hex().encode()
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + word)
        yield encoded[4 if shift else 0 : -4]


def _spellings(address: str) -> Iterator[tuple[str, bytes]]:
    """An address as numbers and in other writings; no form is shorter than eight characters."""
    read = ipaddress.ip_address(address)
    yield "exploded text", read.exploded.encode()
    for order in ("big", "little"):
        number = int.from_bytes(read.packed, order)
        yield f"{order} endian number", str(number).encode()
        yield f"{order} endian hex", f"{number:0{2 * len(read.packed)}x}".encode()
    yield "base64", base64.b64encode(read.packed).rstrip(b"=")
    yield "JSON list", json.dumps(list(read.packed), separators=(",", ":")).strip("[]").encode()
    yield "reverse name", read.reverse_pointer.encode()


def _packed(address: str) -> Iterator[tuple[str, bytes]]:
    packed = ipaddress.ip_address(address).packed
    yield "packed bytes", packed
    yield "packed bytes backwards", packed[::-1]

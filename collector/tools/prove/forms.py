"""What is sent to be looked for, and every form in which it could have been written down.

Canaries are three addresses and words that nobody could guess, one for each place of a request; the day's keys join
them once there are any. A form is bytes: text in any case, UTF-16, UTF-32, hex, base64 in its three alignments,
backwards, and digests; an address also packed in both byte orders, as a number, exploded, as a list, and as the digits
of a Python integer. Nothing here reads a file: scan.py and memory.py do.

The four packed bytes of an IPv4 address stand in random bytes by accident once in 2^32 places. So in memory they count
only inside something that holds an address (an object of four bytes, a sockaddr_in); in files they always count.
"""

from __future__ import annotations

import base64
import ctypes
import hashlib
import ipaddress
import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

KEY = "the day's key"
ADDRESS = "203.0.113.77"
OTHER_ADDRESS = "198.51.100.23"
ADDRESS_6 = "2001:db8:5ca1:ab1e::77"
PEER = "127.77.66.55"
ADDRESSES = (ADDRESS, OTHER_ADDRESS, ADDRESS_6, PEER)
_PACKED_V4 = 4
_DIGIT_BITS = 30  # of a Python integer in memory (longintrepr.h)
_DIGESTS = ("md5", "sha1", "sha256")
_memmem = ctypes.CDLL(None).memmem
_memmem.restype = ctypes.c_void_p
_memmem.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)


class Form(NamedTuple):
    """One spelling of one thing.

    any_case  to be looked for in text brought to lower case
    short     found in random bytes by accident (above)
    """

    what: str
    how: str
    needle: bytes
    any_case: bool = False
    short: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One run's words: where each of them is sent is in requests.py."""

    agent: str
    referrer: str
    query: str
    fragment: str
    body: str
    header: str
    field: str
    path: str

    @classmethod
    def drawn(cls) -> Words:
        """Words that were never used before."""
        return cls(**{name: f"{name}{secrets.token_hex(8)}" for name in cls.__slots__})

    @property
    def user_agent(self) -> str:
        """What is sent as User-Agent: of a browser, with the agent's word."""
        return f"Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0 {self.agent}"

    def by_name(self) -> dict[str, str]:
        """Every word under the name of its place."""
        return {name: getattr(self, name) for name in self.__slots__}


class Canaries:
    """What must not be found, in every form.

    forms  of everything that is sent, and of the keys that were made known by `with_keys`
    """

    def __init__(self, words: Words | None = None, keys: Iterable[bytes] = ()) -> None:
        self.words = words or Words.drawn()
        found = [form for name, word in self.words.by_name().items() for form in _of_text(name, word)]
        found += [form for address in ADDRESSES for form in _of_address(address)]
        found += [form for key in keys for form in _of_bytes(KEY, key)]
        self.forms = tuple({form.needle: form for form in reversed(found)}.values())

    def with_keys(self, keys: Iterable[bytes]) -> Canaries:
        """The same, and these keys."""
        return Canaries(self.words, keys)

    def only_words(self) -> Canaries:
        """Without addresses, which others may use: for places that are not ours alone."""
        words = Canaries(self.words)
        words.forms = tuple(form for form in words.forms if form.what not in ADDRESSES)
        return words

    def places(self, data: bytes) -> Iterator[tuple[Form, int]]:
        """Every place where one of them stands in these bytes."""
        lowered = data.lower()
        for form in self.forms:
            within = lowered if form.any_case else data
            at = find(within, form.needle, 0)
            while at >= 0:
                yield form, at
                at = find(within, form.needle, at + len(form.needle))

    def within(self, data: bytes) -> set[tuple[str, str]]:
        """What stands in these bytes, and in which form."""
        return {(form.what, form.how) for form, _ in self.places(data)}


def find(data: bytes, needle: bytes, start: int) -> int:
    """Like bytes.find, by the C library: four times as fast in what is large (18 GB/s), and other threads go on."""
    if start >= len(data):
        return -1
    begin = ctypes.cast(ctypes.c_char_p(data), ctypes.c_void_p).value or 0
    found = _memmem(begin + start, len(data) - start, needle, len(needle))
    return found - begin if found else -1


def holds_an_address(data: bytes, at: int) -> bool:
    """Whether four bytes of memory lie in what holds an address: a bytes object of four, or a sockaddr_in."""
    size = int.from_bytes(data[at - 16 : at - 8], "little") if at >= 16 else 0  # noqa: PLR2004 - bytesobject.h
    family = data[at - 4 : at - 2] if at >= _PACKED_V4 else b""
    return size == _PACKED_V4 or (family == b"\x02\x00" and data[at + 4 : at + 12] == bytes(8))


def _of_text(what: str, text: str) -> Iterator[Form]:
    """Text as it is, and as programs write it elsewhere."""
    word = text.encode()
    yield Form(what, "text", word.lower(), any_case=True)
    yield Form(what, "URL-encoded", "".join(f"%{byte:02x}" for byte in word).encode(), any_case=True)
    yield Form(what, "backwards", word[::-1].lower(), any_case=True)
    yield Form(what, "UTF-16", text.encode("utf-16-le").lower(), any_case=True)
    yield Form(what, "UTF-32", text.encode("utf-32-le").lower(), any_case=True)
    yield from _encoded(what, word, "")
    yield from _digests(what, word, "")


def _of_address(address: str) -> Iterator[Form]:
    """An address as text, as numbers and packed."""
    read = ipaddress.ip_address(address)
    packed = read.packed
    yield from _of_text(address, address)
    for text, how in ((read.exploded, "exploded"), (read.reverse_pointer, "reverse name")):
        yield Form(address, how, text.lower().encode(), any_case=True)
    yield Form(address, "URL-encoded", address.replace(":", "%3a").encode(), any_case=True)
    yield Form(address, "list", json.dumps(list(packed), separators=(",", ":")).strip("[]").encode())
    for order, number in (("big", int.from_bytes(packed, "big")), ("little", int.from_bytes(packed, "little"))):
        yield Form(address, f"number, {order} endian", str(number).encode())
        if len(digits := _digits(number)) > _PACKED_V4:  # else it is the packed form
            yield Form(address, f"Python integer, {order} endian", digits)
    yield from _of_bytes(address, packed)


def _of_bytes(what: str, packed: bytes) -> Iterator[Form]:
    """Bytes as they are, backwards, and as programs write them elsewhere."""
    is_short = len(packed) == _PACKED_V4
    for order, each in (("big endian", packed), ("little endian", packed[::-1])):
        yield Form(what, f"packed, {order}", each, short=is_short)
        yield from _encoded(what, each, f" of packed, {order}")
        yield from _digests(what, each, f" of packed, {order}")


def _encoded(what: str, data: bytes, of: str) -> Iterator[Form]:
    """Hex, and base64 at each of its three alignments in something longer; what depends on neighbours is left out."""
    yield Form(what, f"hex{of}", data.hex().encode(), any_case=True)
    for shift in range(3):
        if len(data) == _PACKED_V4 and shift:
            continue  # five characters that do not depend on neighbours are in any text
        whole = base64.b64encode(bytes(shift) + data).rstrip(b"=")
        certain = (shift + len(data)) * 8 // 6  # characters; the last may be made of a neighbour's bits, too
        encoded = whole[(0, 2, 3)[shift] : certain if (shift + len(data)) % 3 else len(whole)]
        if len(data) == _PACKED_V4:
            encoded = whole
        yield Form(what, f"base64{of}", encoded)
        yield Form(what, f"base64url{of}", encoded.translate(bytes.maketrans(b"+/", b"-_")))


def _digests(what: str, data: bytes, of: str) -> Iterator[Form]:
    for name in _DIGESTS:
        digest = hashlib.new(name, data, usedforsecurity=False)
        yield Form(what, f"{name}{of}", digest.digest())
        yield Form(what, f"{name}{of}, hex", digest.hexdigest().encode(), any_case=True)


def _digits(number: int) -> bytes:
    """A whole number as CPython lays it out: digits of 30 bits, the lowest first."""
    mask = (1 << _DIGIT_BITS) - 1
    places = range(0, max(number.bit_length(), 1), _DIGIT_BITS)
    return b"".join((number >> place & mask).to_bytes(4, "little") for place in places)

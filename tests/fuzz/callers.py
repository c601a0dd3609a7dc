"""Which hop of a forwarding header counts as the caller: against the library's own reading of addresses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network
from typing import NamedTuple, cast

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

from collector.door.caller import Callers, packed
from tests.fuzz.target import Target, Try

_PROXIES = tuple(map(ip_network, ("10.0.0.0/8", "2001:db8::/32")))
_HOPS = (
    b"203.0.113.9",
    b"10.0.0.7, 203.0.113.9, 10.0.0.8",
    b"203.0.113.9:8080,10.1.1.1\n[2001:db8::7]:443",
    b"2001:db8:1::1%eth0, unknown, ::ffff:203.0.113.9",
    b"010.0.0.1, 1.2.3, 0x7f.1, 2130706433, [::1, ::, fe80::1%25",
    b", ,,\t203.0.113.9 ,\n\n_hidden",
)


def _bare(text: str) -> bytes | None:
    """An address as the library reads it, without port, brackets and zone."""
    host = text
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        if ":" not in host:
            return IPv4Address(host).packed
        address = IPv6Address(host.partition("%")[0])
    except (AddressValueError, UnicodeError):
        return None
    return address.ipv4_mapped.packed if address.ipv4_mapped else address.packed


class _Asked(NamedTuple):
    """What is read of a request to tell its caller."""

    remote: str
    headers: CIMultiDictProxy[str]


@contextmanager
def _forwarded() -> Iterator[Try]:
    """Lines of a forwarding header, told by a trusted peer and by another one: what counts is the last hop but ours."""
    callers = Callers(_PROXIES, "X-Forwarded-For")
    no_header = frozenset("\r\n\0")

    def of(peer: str, lines: list[str]) -> bytes:
        headers = CIMultiDictProxy(CIMultiDict(("X-Forwarded-For", line) for line in lines))
        return callers.of(cast("web.BaseRequest", _Asked(peer, headers))).address

    def try_it(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape")
        for hop in text.split(","):
            assert packed(hop) == _bare(hop), "an address is read in two ways"
        lines = [
            "".join(sign for sign in line if sign not in no_header)
            for line in data.decode("utf-8", "replace").split("\n")
        ]
        hops = [hop.strip() for hop in ",".join(lines).split(",")]
        assert of("192.0.2.1", lines) == packed("192.0.2.1"), "a stranger's header was believed"
        expected = packed("10.0.0.1")
        for hop in reversed(hops):
            if (read := _bare(hop)) is None:
                break
            expected = read
            if not any(_address(read) in network for network in _PROXIES):
                break
        assert of("10.0.0.1", lines) == expected, "another hop was believed"

    yield try_it


def _address(raw: bytes) -> IPv4Address | IPv6Address:
    return IPv4Address(raw) if len(raw) == 4 else IPv6Address(raw)


TARGETS = (
    Target(
        name="forwarded",
        opened=_forwarded,
        seeds=lambda: _HOPS,
        words=(b",", b"10.0.0.1", b"::ffff:", b"%", b"]:", b":"),
    ),
)

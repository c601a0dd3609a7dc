"""Who is calling: address, agent, hints and whether to count it at all. Never leaves the door.

A Caller cannot be printed or pickled, and nothing behind `reduce` has a field for it. Forwarding headers are believed
only from configured proxies, one configured header, counted from the right (privacy.md A3).
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import NoReturn

from aiohttp import web
from aiohttp.hdrs import ACCEPT_LANGUAGE, RANGE, USER_AGENT
from multidict import CIMultiDictProxy, istr

from collector.log import log
from collector.metrics import Reason

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Numbers = list[tuple[int, int, int]]  # version, network, mask

# istr: a name that is looked up in every request is folded to one case once, not every time
_PLATFORM, _MOBILE = istr("Sec-CH-UA-Platform"), istr("Sec-CH-UA-Mobile")
_GPC, _DNT = istr("Sec-GPC"), istr("DNT")
_SEC_PURPOSE, _PURPOSE = istr("Sec-Purpose"), istr("Purpose")

_MAPPED = bytes(10) + b"\xff\xff"
_NOWHERE = bytes(4)
AGENT_CHARACTERS = 400
_PROXIES_REMEMBERED = 1000


class Caller:
    """One request's sender, as the wire has it: packed address (4 or 16 bytes) and the headers that are read at all."""

    __slots__ = ("accept_language", "address", "agent", "hints", "left_out")

    def __init__(
        self, address: bytes, agent: str, hints: tuple[str, str], accept_language: str, left_out: Reason | None
    ) -> None:
        self.address = address
        self.agent = agent
        self.hints = hints
        self.accept_language = accept_language
        self.left_out = left_out

    def __repr__(self) -> str:
        return "<caller>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a caller is not stored")


class Callers:
    """Reads the caller of a request; knows which proxies to believe."""

    def __init__(self, trusted_proxies: tuple[Network, ...], forwarded_header: str) -> None:
        self._trusted = _as_numbers(trusted_proxies)
        self._header = istr(forwarded_header)
        self._has_warned = False
        self._proxies: dict[str, bytes] = {}  # trusted peers that called before, as text: few, and the operator's own

    def of(self, request: web.BaseRequest) -> Caller:
        """The caller of a request. Never refuses: what cannot be read is taken as absent."""
        headers = request.headers
        header = headers.get
        return Caller(
            self._address(request.remote or "", headers),
            header(USER_AGENT, "")[:AGENT_CHARACTERS],
            (header(_PLATFORM, ""), header(_MOBILE, "")),
            header(ACCEPT_LANGUAGE, ""),
            _left_out(header),
        )

    def _address(self, peer: str, headers: CIMultiDictProxy[str]) -> bytes:
        """The rightmost hop that is no trusted proxy; the last readable hop where one cannot be read."""
        address = self._proxies.get(peer) or packed(peer) or _NOWHERE
        if peer in self._proxies or _is_in(address, self._trusted):
            if len(self._proxies) < _PROXIES_REMEMBERED:
                self._proxies[peer] = address
            hops = headers.getall(self._header, ())
            for hop in reversed(",".join(hops).split(",")) if len(hops) != 1 or "," in hops[0] else hops:
                read = packed(hop.strip())
                if read is None:
                    break
                address = read
                if not _is_in(address, self._trusted):
                    break
        elif self._header in headers and not self._has_warned and _is_in(address, _OWN):
            self._has_warned = True  # on the internet anybody may send the header
            log.warning("if a proxy of yours is before this port, put it in trusted_proxies: it counts as the caller")
        return address


def _as_numbers(networks: Iterable[Network]) -> Numbers:
    return [(net.version, int(net.network_address), int(net.netmask)) for net in networks]


_OWN = _as_numbers(map(ipaddress.ip_network, ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_OWN += _as_numbers(map(ipaddress.ip_network, ("::1/128", "fc00::/7", "fe80::/10")))


def _is_in(address: bytes, networks: Numbers) -> bool:
    """Whether a packed address is in one of these; ipaddress would remember the last 128 that it was asked about."""
    version, number = (4 if len(address) == len(_NOWHERE) else 6), int.from_bytes(address, "big")
    for of_version, network, mask in networks:  # noqa: SIM110 - a generator costs as much as all the rest here
        if version == of_version and number & mask == network:
            return True
    return False


def _left_out(header: Callable[[str], str | None]) -> Reason | None:
    """Why nothing of this request is to be counted, nor derived from its caller."""
    if header(_GPC) == "1" or header(_DNT) == "1":
        return "opt_out"
    if "prefetch" in (header(_SEC_PURPOSE) or header(_PURPOSE) or ""):
        return "prefetch"
    ranges = header(RANGE)
    return "partial" if ranges and not ranges.lower().startswith("bytes=0-") else None


def packed(text: str) -> bytes | None:
    """An address as 4 or 16 bytes, an IPv4-mapped one as 4, without port, brackets and zone; None for anything else."""
    try:
        return socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        pass
    host = text[1:].partition("]")[0] if text.startswith("[") else text
    if host.count(":") == 1:  # 192.0.2.1:1234
        host = host.partition(":")[0]
    try:
        if ":" not in host:
            return socket.inet_pton(socket.AF_INET, host)
        address = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    except (OSError, ValueError):
        return None
    return address[12:] if address.startswith(_MAPPED) else address

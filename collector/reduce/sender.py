"""What a caller becomes: a country, a platform, a language, and two keyed seeds.

A Sender lives as long as its request and is made of callers who did not opt out only. The buckets and the seeds are
worked out when an event first asks, once for all events of the request. It cannot be printed or pickled: the address is
still in it.
"""

from __future__ import annotations

from typing import NoReturn

from collector.count.filter import DaySlot
from collector.count.marks import Seeds
from collector.reduce.language import language_of
from collector.reduce.platform import Platform, Platforms
from collector.reduce.region import Region

SENDER_FACTS = ("country", "os", "device", "browser", "language")

_NETWORK_BYTES = {4: 3, 16: 6}  # /24 and /48: what counts as one source
_VISITOR_BYTES = {4: 4, 16: 8}  # /32 and /64


class Sender:
    """The buckets and seeds of one caller, for one request."""

    __slots__ = ("_accept_language", "_address", "_facts", "_region", "_seeds", "platform")

    def __init__(self, address: bytes, platform: Platform, accept_language: str, region: Region) -> None:
        self._address = address
        self._accept_language = accept_language
        self._region = region
        self.platform = platform
        self._facts: tuple[str, ...] | None = None
        self._seeds: tuple[int, Seeds] | None = None

    def __repr__(self) -> str:
        return "<sender>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sender is not stored")

    def facts(self, languages: frozenset[str]) -> tuple[str, ...]:
        """What is kept of a sender, as SENDER_FACTS names it; the language is the first asked for that is listed."""
        if self._facts is None:
            country = self._region.country(self._address)
            self._facts = (country, *self.platform[:3], language_of(self._accept_language, languages))
        return self._facts

    def seeds(self, slot: DaySlot) -> Seeds:
        """What stands for the caller under a day's key: (address and reduced agent) and (network)."""
        if self._seeds is None or self._seeds[0] != slot.day:
            address, size = self._address, len(self._address)
            os, device, browser = self.platform[:3]
            visitor = address[: _VISITOR_BYTES[size]] + f"{os} {device} {browser}".encode()
            self._seeds = slot.day, Seeds(slot.seed(visitor), slot.seed(address[: _NETWORK_BYTES[size]]))
        return self._seeds[1]


class Senders:
    """Makes senders; holds the tables they look things up in. Built once per worker."""

    def __init__(self, region: Region, platforms: Platforms) -> None:
        self._region = region
        self._platforms = platforms

    def of(self, address: bytes, agent: str, hints: tuple[str, str], accept_language: str) -> Sender:
        """The sender with this packed address, User-Agent, low-entropy hints (platform, mobile) and Accept-Language."""
        return Sender(address, self._platforms.of(agent, *hints), accept_language, self._region)

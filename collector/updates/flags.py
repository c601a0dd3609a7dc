"""What an update check says of itself: seven flags, whichever way a protocol can carry them. Nothing else is read.

Ids that updaters send of their own (x-user-staging-id, stagingId, Sparkle's profile) have no field here, so they end
with their request. A flag that cannot be read counts as not given; only a check without a version is not counted.

    flag   in a query or path      as a header
    v      1.4.2                               the version that asks
    ch     beta                                its channel
    os     windows
    arch   x86_64
    first  d dw dm dwm dwme        Collector-First
    age    0..12 13 26 52          Collector-Age
    test   1, true                             not counted
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Any, NamedTuple

from multidict import istr

from collector.catalogue.releases import Place

HEADERS = {istr("Collector-First"): "first", istr("Collector-Age"): "age"}  # WinSparkle can set headers alone
ARCHS = ("x86_64", "aarch64", "i686", "armv7")  # that a platform or a file may be for

Said = Mapping[str, str]


class Flags(NamedTuple):
    """The flags of one check; None was not given, or not readably."""

    version: str | None
    channel: str | None
    os: str | None
    arch: str | None
    first: tuple[str, ...]
    age: str | None
    test: bool

    def event(self, place: Place) -> dict[str, Any] | None:
        """The update check that it is, with what the place says where it says nothing; None without a version."""
        if self.version is None:
            return None
        os, arch = platform_of(place.platform)
        event = {
            "kind": "update_check",
            "product": place.product,
            "version": self.version,
            "channel": self.channel or place.channel,
            "os": self.os or os,
            "arch": self.arch or arch,
            "first": list(self.first),
            "age": self.age,
            "test": self.test,
        }
        return {field: value for field, value in event.items() if value is not None}


class FlagReader:
    """Reads flags; made of what the kind update_check declares."""

    def __init__(self, update_check: Mapping[str, Any]) -> None:
        fields = update_check["properties"]
        self._version = re.compile(fields["version"]["pattern"].removeprefix("^").removesuffix("$"))
        self._os = frozenset(fields["os"]["enum"])
        self._archs = frozenset(fields["arch"]["enum"])
        self._ages = frozenset(fields["age"]["enum"])
        self._firsts = {"".join(each[0] for each in firsts): tuple(firsts) for firsts in fields["first"]["enum"]}

    def read(self, channels: Container[str], *said: Said) -> Flags:
        """The flags of one request; each of the first that says it readably."""
        first = _first("first", said, self._firsts)
        return Flags(
            version=next((text for each in said if self.is_version(text := each.get("v", ""))), None),
            channel=_first("ch", said, channels),
            os=_first("os", said, self._os),
            arch=_first("arch", said, self._archs),
            first=self._firsts[first or ""],
            age=_first("age", said, self._ages),
            test=any(each.get("test") in ("1", "true") for each in said),
        )

    def is_version(self, text: str) -> bool:
        """Whether it is a version as declared."""
        return self._version.fullmatch(text) is not None


def _first(name: str, said: tuple[Said, ...], allowed: Container[str]) -> str | None:
    return next((text for each in said if (text := each.get(name)) is not None and text in allowed), None)


def from_headers(headers: Said) -> Said:
    """Flags that were set as headers."""
    return {flag: text for header, flag in HEADERS.items() if (text := headers.get(header)) is not None}


def from_segment(segment: str) -> Said:
    """Flags in one segment of a path, as v=1.4.2,first=dwm,age=3."""
    pairs = (each.partition("=") for each in segment.split(","))
    return {name: text for name, _, text in pairs}


def platform_of(platform: str) -> tuple[str, str | None]:
    """The operating system, and the processor if there is one, that a platform's id begins with."""
    os, _, rest = platform.partition("-")
    return os, rest if rest in ARCHS else None

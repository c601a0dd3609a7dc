r"""Reads one line of an nginx or Apache access log: the combined format, or vhost_combined with the host before it.

    [HOST[:PORT] ]ADDRESS IDENT USER [10/Oct/2026:13:55:36 +0530] "GET /path HTTP/1.1" 200 2326 "REFERRER" "AGENT"[ ...]

Both servers escape what they quote (\" \\ \x22 \n, bytes that are no ASCII as \xHH); here it becomes what was sent.
What follows the agent is not read. Never raises, and keeps nothing. Called by logs.py.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, NoReturn

from collector.door.caller import packed

MAX_LINE_BYTES = 65_536

_QUOTED = r'"((?:[^"\\]++|\\.)*+)"'
_LINE = re.compile(
    r'([^"]+?) \[(\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d):(\d\d):(\d\d) ([+-]\d\d)(\d\d)\] '
    rf"{_QUOTED} (\d{{3}}) (?:\d+|-) {_QUOTED} {_QUOTED}(?: |\s*\Z)",
    re.ASCII | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}
_PORT = re.compile(r":\d{1,5}\Z")
_HOURS_REMEMBERED = 1_000
_LAST_MINUTE, _LAST_SECOND, _LONGEST_OFFSET = 59, 60, timedelta(hours=15)
_NAMED = 2  # words before the time that tell host and address


class Line(NamedTuple):
    """One request as it was logged: packed address, seconds since 1970; '' for what is not given.

    host    of vhost_combined, without port
    target  as it was sent: path and query, or a whole address
    """

    host: str
    address: bytes
    at: int
    method: str
    target: str
    status: int
    referrer: str
    agent: str

    def __repr__(self) -> str:
        return "<line>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a line is not stored")


class Lines:
    """Reads lines; remembers when the hours of a log began."""

    def __init__(self) -> None:
        self._hours: dict[tuple[str, str, str], int | None] = {}

    def read(self, text: bytes) -> Line | None:
        """What a line tells; None if it is not of the format, or its day is none."""
        found = _LINE.match(text.decode("utf-8", "replace"))
        if found is None:
            return None
        head, hour, minute, second, zone_h, zone_m, request, status, referrer, agent = found.groups()
        named = _host_and_address(head.split(" "))
        began = self._began(hour, zone_h, zone_m)
        if named is None or began is None or int(minute) > _LAST_MINUTE or int(second) > _LAST_SECOND:
            return None
        method, _, rest = _as_sent(request).partition(" ")
        target, _, protocol = rest.rpartition(" ")
        if not protocol.startswith("HTTP/"):
            target = rest
        at = began + 60 * int(minute) + min(int(second), _LAST_MINUTE)
        return Line(*named, at, method, target, int(status), _given(referrer), _given(agent))

    def _began(self, hour: str, zone_h: str, zone_m: str) -> int | None:
        """The second an hour of a zone began; None for one of no calendar."""
        key = hour, zone_h, zone_m
        if key not in self._hours:
            if len(self._hours) >= _HOURS_REMEMBERED:
                self._hours.clear()
            self._hours[key] = _second_of(hour, zone_h, zone_m)
        return self._hours[key]


def _second_of(hour: str, zone_h: str, zone_m: str) -> int | None:
    minutes = 60 * int(zone_h[1:]) + int(zone_m)
    offset = timedelta(minutes=-minutes if zone_h[0] == "-" else minutes)
    if abs(offset) > _LONGEST_OFFSET:
        return None
    try:
        local = datetime.strptime(hour, "%d/%b/%Y:%H").replace(tzinfo=UTC)
        return int((local - offset).timestamp())
    except (ValueError, OverflowError):
        return None


def _host_and_address(words: list[str]) -> tuple[str, bytes] | None:
    """Of the words before the time: the address is the first or, after a host, the second."""
    if len(words) > _NAMED and words[1] != "-" and (address := packed(words[1])):
        return _PORT.sub("", words[0]).lower(), address
    return ("", address) if (address := packed(words[0])) else None


def _given(quoted: str) -> str:
    return "" if quoted == "-" else _as_sent(quoted)


def _as_sent(quoted: str) -> str:
    """What a server quoted, before it did: bytes that are UTF-8 as that, any others as U+FFFD."""
    if "\\" not in quoted:
        return quoted
    return _ESCAPE.sub(_sent, quoted).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _sent(escape: re.Match[str]) -> str:
    if code := escape[1]:
        byte = int(code, 16)
        return bytes((byte,)).decode("utf-8", "surrogateescape")
    return _CONTROLS.get(escape[2], escape[2])

"""A page's address becomes its site's path, scrubbed, and three campaign words; query, fragment and host end here.

What comes out is `(other)` unless a declared route vouches for it, and otherwise matches the pattern of `path` in
buckets.toml: at most 8 segments and 120 bytes of UTF-8, decoded as far as it can be and then spelled in one way only
(white space, controls, and ? # % " < > ` { } are percent-encoded or gone), so that one page has one name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote_plus, unquote_to_bytes

from collector.catalogue.registry import Registry
from collector.cell import OTHER, UNKNOWN
from collector.errors import Code, Refused
from collector.reduce.memo import Memo
from collector.reduce.scrub import is_id_like
from collector.reduce.url import canonical, split

MAX_SEGMENTS = 8
MAX_BYTES = 120
ID = ":id"

_REMEMBERED = 16_384
_MIN_STUMP = 8  # bytes of a segment that are worth keeping
_MAX_NAME = 255  # characters; no file system takes longer names, and no reader
_MAX_ROUNDS = 5  # of percent-decoding; what is still encoded then was meant to be unreadable
_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")
_TORN_ESCAPE = re.compile(r"%[0-9A-F]?\Z")
_SPELLED = str.maketrans({sign: f"%{ord(sign):02X}" for sign in ' %?#"<>`{}'})
_CAMPAIGN = re.compile(r"[a-z0-9._-]{1,40}")
_CAMPAIGN_KEYS = ("utm_source", "utm_medium", "utm_campaign")
_HIDDEN = ("Cc", "Cs")  # control characters; halves of characters, which cannot be encoded
_FORMAT = "Cf"  # zero width, direction


class Page(NamedTuple):
    """The scrubbed path or "(other)"; the query's campaign words, "(other)" for bad ones, "(unknown)" for none."""

    path: str
    utm_source: str
    utm_medium: str
    utm_campaign: str


class Pages:
    """Reads the addresses of pages; one per worker."""

    def __init__(self, registry: Registry) -> None:
        self._hosts = {site.id: frozenset(map(canonical, site.hosts)) for site in registry.sites.values()}
        self._routes = {site.id: vouching(site.routes) for site in registry.sites.values()}
        self._memo: Memo[Page] = Memo(_REMEMBERED)

    def read(self, site_id: str, url: str) -> Page:
        """What is kept of a page's address; raises Refused for one that is not http(s) or not of the site."""
        hashed = hash((site_id, url))
        return self._memo.get(hashed) or self._memo.put(hashed, self._page(site_id, url))

    def _page(self, site_id: str, url: str) -> Page:
        address = split(url)
        if address is None:
            raise Refused(Code.BAD_PATTERN, "url", "must be an http or https address with a host")
        if address.host not in self._hosts[site_id]:
            raise Refused(Code.FOREIGN_HOST, "url", "must be on one of the site's hosts")
        path = scrubbed(address.path)
        return Page(path if self._routes[site_id].fullmatch(path) else OTHER, *_campaign(address.query))


def campaign_value(text: str) -> str:
    """A campaign word in lower case; "(other)" for one outside [a-z0-9._-]{1,40} or made for one person."""
    word = text.lower()
    return word if _CAMPAIGN.fullmatch(word) and not is_id_like(word) else OTHER


def scrubbed(path: str) -> str:
    """The path with `:id` for each segment that may tell a person; begins with "/" and matches the declared pattern."""
    segments: list[str] = []
    ends_open = True  # whether the path ends in "/"
    for raw in path.split("/")[1:]:
        segment = _segment(raw) if raw else ""
        ends_open = segment in ("", ".", "..")
        if segment == "..":
            del segments[-1:]
        elif not ends_open:
            segments.append(segment)
            if len(segments) > MAX_SEGMENTS:
                break
    is_cut, kept = _shortened([ID if segment == ID else segment.translate(_SPELLED) for segment in segments])
    return "/" + "/".join(kept) + ("/" if ends_open and kept and not is_cut else "")


def vouching(routes: Iterable[str]) -> re.Pattern[str]:
    """One pattern for all routes; no routes match nothing. A slash at the end of a path needs no vouching."""
    return re.compile("|".join(f"(?:{_route(route)})" for route in routes) or r"(?!)")


def _segment(raw: str) -> str:
    """One segment decoded, without parameters (`;jsessionid=`), white space as one space; `:id` if it is id-like."""
    text = _decoded(raw.partition(";")[0]).partition(";")[0]
    if len(text) > _MAX_NAME or "/" in text or "\\" in text:
        return ID  # no name; a path, address or secret packed into one segment
    if text.isascii() and text.isalnum():
        return ID if is_id_like(text) else text
    categories = {unicodedata.category(sign) for sign in text}
    if not categories.isdisjoint(_HIDDEN):
        return ID
    if _FORMAT in categories:
        text = "".join(sign for sign in text if unicodedata.category(sign) != _FORMAT)
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    return ID if is_id_like(text) else text


def _decoded(text: str) -> str:
    """Percent-decoded until nothing changes, at most five times; bytes that are not UTF-8 are read as Latin-1."""
    for _ in range(_MAX_ROUNDS):
        if not _ESCAPE.search(text):
            break
        sent = unquote_to_bytes(text.encode("utf-8", "replace"))
        try:
            text = sent.decode()
        except UnicodeDecodeError:
            text = sent.decode("latin-1")
    return text


def _shortened(segments: list[str]) -> tuple[bool, list[str]]:
    """Whether anything was cut, and the first 8 segments as far as 120 bytes go, with room for a "/" at the end."""
    kept: list[str] = []
    room = MAX_BYTES - 1
    for segment in segments[:MAX_SEGMENTS]:
        encoded = segment.encode()
        if len(encoded) + 1 > room:
            stump = _TORN_ESCAPE.sub("", encoded[: room - 1].decode("utf-8", "ignore"))
            if segment != ID and room > _MIN_STUMP and not is_id_like(_decoded(stump)):
                kept.append(stump)  # a cut can make an address of what was none (found by fuzzing)
            return True, kept
        kept.append(segment)
        room -= len(encoded) + 1
    return len(segments) > MAX_SEGMENTS, kept


def _route(route: str) -> str:
    pattern = ""
    for segment in route.split("/")[1:]:
        if segment == "**":
            pattern += "(?:/[^/]+)*"
        else:
            parts = (re.escape(_decoded(part).translate(_SPELLED)) for part in segment.split("*"))
            pattern += "/" + ("[^/]+" if segment == "*" else "[^/]*".join(parts))
    return pattern if route.endswith("/") else pattern + "/?"


def _campaign(query: str) -> tuple[str, str, str]:
    """The first of each campaign word in a query; an empty one is not given."""
    if "utm" not in query.lower():
        return UNKNOWN, UNKNOWN, UNKNOWN
    given: dict[str, str] = {}
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        given.setdefault(unquote_plus(key).lower(), value)
    source, medium, campaign = (
        campaign_value(_decoded(word.replace("+", " "))) if (word := given.get(key)) else UNKNOWN
        for key in _CAMPAIGN_KEYS
    )
    return source, medium, campaign

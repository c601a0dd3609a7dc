"""Makes a site's routes from the addresses of its pages: single pages as they are, what is many as one pattern.

A route vouches for paths as they are stored, so each path is scrubbed first (reduce/page.py), by the same code: what
looks like an id is `:id` here, too. Then, folder by folder: more than `many` pages side by side become `folder/*`, and
more than `many` folders side by side one folder `*` with the pages of all of them. Every page given is vouched for by
the routes that come out, which a configuration takes as they are. Called by the command `collector routes`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from collector.catalogue.registry import quoted
from collector.reduce.page import scrubbed, vouching
from collector.reduce.url import canonical, split

MANY = 20
MAX_ROUTES = 10_000  # schemas/configuration.json
MAX_CHARACTERS = 120  # the same, of one route
HOSTS_SHOWN = 5
ANY = "*"


class Listed(NamedTuple):
    """Pages by what becomes of them: scrubbed paths of the site, and how many addresses each other host has.

    unreadable  how many addresses are none of the web
    """

    paths: dict[str, set[str]]
    addresses: Counter[str]
    unreadable: int

    def hosts(self, wanted: Iterable[str]) -> frozenset[str]:
        """The site's hosts: those wanted, or if none is, the one that most addresses are of."""
        given = frozenset(map(canonical, wanted))
        if given or not self.addresses:
            return given
        return frozenset([min(self.addresses, key=lambda host: (-self.addresses[host], host))])


@dataclass(slots=True)
class _Folder:
    """What lies below one path; `is_page` if the path is a page itself. Names are written as in a route."""

    is_page: bool = False
    below: dict[str, _Folder] = field(default_factory=dict)

    def add(self, names: Iterable[str]) -> None:
        here = self
        for name in names:
            here = here.below.setdefault(name, _Folder())
        here.is_page = True

    def take_in(self, other: _Folder) -> None:
        """Have everything that another has, too."""
        self.is_page |= other.is_page
        for name, folder in other.below.items():
            self.below.setdefault(name, _Folder()).take_in(folder)


def read_pages(addresses: Iterable[str]) -> Listed:
    """The pages that these are the addresses of, by host."""
    paths: dict[str, set[str]] = {}
    found: Counter[str] = Counter()
    unreadable = 0
    for each in addresses:
        address = split(each)
        if address is None:
            unreadable += 1
            continue
        found[address.host] += 1
        paths.setdefault(address.host, set()).add(scrubbed(address.path))
    return Listed(paths, found, unreadable)


def routes_of(paths: Iterable[str], many: int = MANY) -> list[str]:
    """At most 10,000 routes, in order, that vouch for every one of these scrubbed paths."""
    top = _Folder()
    for path in paths:
        top.add(_names(path))
    while len(routes := _needed(set(_routes(top, "", many)))) > MAX_ROUTES:
        many //= 2
    return sorted(routes)


def as_toml(routes: Iterable[str]) -> str:
    """The line of a [[site]] that declares these routes."""
    lines = "".join(f"  {json.dumps(route, ensure_ascii=False)},\n" for route in routes)
    return f"routes = [\n{lines}]"


def told_of(listed: Listed, hosts: frozenset[str], routes: list[str]) -> Iterator[str]:
    """What to say about routes made from a sitemap, and about what of it was left out."""
    pages = len({path for host in hosts for path in listed.paths.get(host, ())})
    yield f"{', '.join(sorted(hosts))}: {pages:,} pages, {len(routes):,} routes"
    others = Counter({host: number for host, number in listed.addresses.items() if host not in hosts})
    if others:
        most = sorted(others, key=lambda host: (-others[host], host))[:HOSTS_SHOWN]
        named = ", ".join(f"{quoted(host)} {others[host]:,}" for host in most)
        yield f"left out, of other hosts (--host takes them in): {others.total():,} addresses ({named})"
    if listed.unreadable:
        yield f"left out, no http or https address: {listed.unreadable:,}"


def _needed(routes: set[str]) -> list[str]:
    """The routes without those that another one of the same folder stands for."""
    every = {route: f"{route.rpartition('/')[0]}/{ANY}" for route in routes}
    return [route for route in routes if route in ("/", every[route]) or every[route] not in routes]


def _names(path: str) -> list[str]:
    """The segments of a path as a route says them."""
    segments = [segment for segment in path.split("/") if segment]
    names = [_name(segment) for segment in segments]
    if sum(len(name) + 1 for name in names) > MAX_CHARACTERS:
        names = [name if name == segment else ANY for name, segment in zip(names, segments, strict=True)]
    return names


def _name(segment: str) -> str:
    """A segment that a route vouches for alone; `*` where no spelling does, as for what was encoded many times over."""
    if "%" not in segment and "*" not in segment:
        return segment
    name = segment.replace("*", "%2A")  # bare, it would stand for anything
    return name if vouching([f"/{name}"]).fullmatch(f"/{segment}") else ANY


def _routes(folder: _Folder, path: str, many: int) -> Iterator[str]:
    """The routes of a folder and all that lies below it."""
    if folder.is_page:
        yield path or "/"
    pages = [name for name, each in folder.below.items() if not each.below]
    folders = {name: each for name, each in folder.below.items() if each.below}
    if len(pages) > many or ANY in pages:
        yield f"{path}/{ANY}"
        pages = []
    yield from (f"{path}/{name}" for name in pages)
    if len(folders) > many or ANY in folders:
        together = _Folder()
        for each in folders.values():
            together.take_in(each)
        folders = {ANY: together}
    for name, each in folders.items():
        yield from _routes(each, f"{path}/{name}", many)

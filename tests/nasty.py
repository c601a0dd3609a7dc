"""Reads the corpora of nasty addresses in tests/data, and looks into what an object holds on to.

A corpus has one row a line, columns between tabs, each column written like the inside of a JSON string.
"""

from __future__ import annotations

import gc
import json
from pathlib import Path

from collector.catalogue.registry import Registry, Site

SITE = "www.example.org"
OTHER_SITE = "shop.example.org"


def corpus(name: str) -> list[tuple[str, ...]]:
    """Every row of a corpus, its columns decoded."""
    lines = (Path(__file__).parent / "data" / name).read_text(encoding="utf-8").split("\n")
    return [
        tuple(json.loads(f'"{column}"') for column in line.split("\t"))
        for line in lines
        if line and not line.startswith("#")
    ]


def registry(*routes: str, hosts: tuple[str, ...] = (SITE, "xn--bcher-kva.example")) -> Registry:
    """Two sites; the first has the given routes."""
    sites = [
        Site(id=SITE, hosts=hosts, routes=routes, goals=frozenset()),
        Site(id=OTHER_SITE, hosts=(OTHER_SITE,), routes=("/**",), goals=frozenset()),
    ]
    return Registry(sites={site.id: site for site in sites}, products={}, links={}, downloads=())


def texts_within(thing: object) -> str:
    """Everything readable that an object holds on to, in one text."""
    met: set[int] = set()
    found: list[str] = []
    left = [thing]
    while left:
        here = left.pop()
        if id(here) in met or isinstance(here, type) or type(here).__name__ in ("module", "function"):
            continue
        met.add(id(here))
        if isinstance(here, str | bytes):
            found.append(str(here))
        left += gc.get_referents(here)
    return "\n".join(found)

"""Requests made of a seed: events of several kinds and sites, alone and in batches, from many networks.

The number of an event decides its path and its site; the same seed makes the same requests in the same order.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

# The API gives 100,000 rows of a property at most: a long run needs several.
SITES = tuple(f"site{number}.example.org" for number in range(8))
CONFIG = 'trusted_proxies = ["127.0.0.0/8"]\n' + "".join(
    f'\n[[site]]\nid = "{site}"\nhosts = ["{site}"]\nroutes = ["/**"]\n' for site in SITES
)
REPORTS = {"page_hit": "pages", "page_leave": "page_time"}
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"  # libraries are bots
NETWORKS = 50
CROWD = 12  # networks; a site's day shows its paths from ten networks on
CROWD_PATH = "/crowd"
BATCHES = 0.15  # of all requests
LARGEST_BATCH = 50
LEAVES = 0.3  # of all events


class Body(NamedTuple):
    """One request: what it carries, the paths of its events, and the headers that make it a browser's of a network."""

    json: bytes
    paths: tuple[str, ...]
    headers: dict[str, str]


def crowd() -> Iterator[Body]:
    """One hit of every site from each of some networks."""
    for network in range(CROWD):
        hits = [{"kind": "page_hit", "site": site, "url": f"https://{site}{CROWD_PATH}"} for site in SITES]
        yield Body(orjson.dumps(hits), (CROWD_PATH,) * len(hits), _headers(network))


class Bodies:
    """An endless supply of requests.

    name   begins every path, as "/name", where another supply is sent to the same collector
    ids    whether every event carries an id of its own
    size   events in every request; None for a mixture of single events and batches
    paths  so many different paths only: later events repeat them; None for a path of its own for every event
    """

    def __init__(
        self, seed: int, *, name: str = "", ids: bool = True, size: int | None = None, paths: int | None = None
    ) -> None:
        self._name = name
        self._chance = random.Random(f"{seed}/bodies{name}")
        self._ids = ids
        self._size = size
        self._paths = paths
        self._events = 0

    def draw(self) -> Body:
        """The next request."""
        events = [self._event() for _ in range(self._size or self._drawn_size())]
        sent: object = events[0] if len(events) == 1 else events
        paths = tuple("/" + event["url"].partition("://")[2].partition("/")[2] for event in events)
        return Body(orjson.dumps(sent), paths, _headers(self._chance.randrange(NETWORKS)))

    def _drawn_size(self) -> int:
        return self._chance.randint(2, LARGEST_BATCH) if self._chance.random() < BATCHES else 1

    def _event(self) -> dict[str, Any]:
        number = self._events % self._paths if self._paths else self._events
        self._events += 1
        site = SITES[number % len(SITES)]
        # Groups of four digits: longer ones look like somebody's number and are scrubbed.
        tail = f"{number // 10_000:04}/{number % 10_000:04}"
        event: dict[str, Any] = {"site": site}
        if self._paths is None and self._chance.random() < LEAVES:
            seconds = self._chance.randrange(600)
            event |= {"kind": "page_leave", "seconds": seconds, "entry": False, "exit": False}
            event["url"] = f"https://{site}{self._name}/leave/{tail}"
        else:
            event |= {"kind": "page_hit", "url": f"https://{site}{self._name}/hit/{tail}"}
        if self._ids:
            event["id"] = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
        return event


def _headers(network: int) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": BROWSER,
        "X-Forwarded-For": f"20.7.{network}.1",
    }

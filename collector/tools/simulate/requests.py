"""What made-up people send: requests as the wire has them, and beside each event what only who made it up knows.

The reduced words in a Person and a Happening are never sent: they are for truth.py, which counts without the
collector's own reduction.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Person(NamedTuple):
    """A caller: what it sends of itself, and what the collector must make of that. No person's: all of it is drawn."""

    address: bytes
    agent: str
    accept_language: str
    country: str
    os: str
    device: str
    browser: str
    language: str


class Happening(NamedTuple):
    """One event, with what must become of its page and referrer.

    path    the page's stored path, or "(other)"
    source  the referrer's domain where a visit begins with this event; "" elsewhere
    who     number of the installation that checks for updates
    """

    event: dict[str, Any]
    path: str = ""
    source: str = ""
    who: int = -1


class Request(NamedTuple):
    """What one person sends at one moment (seconds since 1970-01-01)."""

    at: int
    person: Person
    happenings: tuple[Happening, ...]

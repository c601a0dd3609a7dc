"""An event after the door: what happened, to which property, in which hour, in buckets.

There is no field here that an address, an agent or a token could go in: facts hold values of declared vocabularies
(schemas/buckets.toml), flags and bounded numbers, in the order the kind's layout declares.
"""

from __future__ import annotations

from typing import NamedTuple

Fact = str | bool | int | None


class Event(NamedTuple):
    """One reduced event.

    hour   whole hours since 1970-01-01T00:00Z
    facts  one value per name of the kind's layout (catalogue/layout.py): bucket, flag, number, or None if not given
    id     the event's own random UUID, made by its client, so that a retry counts once; None if it has none
    """

    kind: str
    property: str
    hour: int
    facts: tuple[Fact, ...]
    id: str | None = None

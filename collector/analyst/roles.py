"""Who asks, as far as the analyst port cares: a name, a role, and the properties that may be seen.

    viewer    reads some properties
    analyst   reads every property
    admin     the same, and decides about what is kept: quarantine, sealing

Made by askers.py from a token or a session, put on the request by access.py, read by handlers as request[ASKER].
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

NOBODYS = ""  # no property has this id


class Role(StrEnum):
    """What somebody may do."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Somebody who was admitted. `properties`: those that may be seen, None for all; `session`: by a cookie."""

    name: str
    role: Role
    properties: frozenset[str] | None = None
    expires_s: float | None = None
    session: bool = False

    def may_see(self, property_id: str) -> bool:
        """Whether anything may be told of a property."""
        return self.properties is None or property_id in self.properties

    def as_known(self, parameters: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """The parameters of a question, in which a property that may not be seen is one that does not exist.

        Replaced before anybody reads it, so that the answers to both are the same in every byte and take as long.
        """
        return [(name, text if name != "property" or self.may_see(text) else NOBODYS) for name, text in parameters]

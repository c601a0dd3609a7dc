"""The errors the collector distinguishes, by what is to be done about them.

Refused: say no to the sender and go on. Unavailable: try again later. InDoubt: say nothing. Corrupt: set aside and go
on; Unreadable: look again later, too. Misconfigured: stop at start-up and tell the operator. None of them can carry a
caller: a refusal names a declared field and a rule, never the value that broke it.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Why an event or a body was refused. Closed: these strings are the wire format and the only metric labels."""

    NOT_JSON = "not_json"
    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_PROPERTY = "unknown_property"
    UNKNOWN_KEY = "unknown_key"
    MISSING = "missing"
    WRONG_TYPE = "wrong_type"
    OUT_OF_BOUNDS = "out_of_bounds"
    BAD_PATTERN = "bad_pattern"
    NOT_DECLARED = "not_declared"
    FOREIGN_HOST = "foreign_host"
    INCONSISTENT = "inconsistent"
    TOO_MANY = "too_many"
    TOO_DEEP = "too_deep"


class Refused(Exception):
    """An event that is not counted because it breaks a declared rule.

    `field` is a declared name or None, never sent text; `rule` is a sentence made of declarations only.
    """

    def __init__(self, code: Code, field: str | None, rule: str) -> None:
        super().__init__(code.value)
        self.code = code
        self.field = field
        self.rule = rule


class Unavailable(Exception):
    """Nothing was counted and trying again later may succeed (disk full, engine away)."""


class InDoubt(Exception):
    """Whether something was counted cannot be known; the connection is closed without an answer."""


class Corrupt(Exception):
    """Stored bytes that are not what was written; the caller sets them aside and goes on."""


class Unreadable(Corrupt):
    """Stored bytes that the disk does not give now. It was a cable, maybe: to be tried again."""


class Misconfigured(Exception):
    """The operator must change something before the collector can start; the text says what."""


class NotMade(Exception):
    """The database, or its tables, are not yet as a start makes them; told to whoever only looks."""

"""Good and bad events of every kind, read from data/kinds.json: for tests of the catalogue and of the front door alike.

An event of the table is the kind's good one with `set` put in and `drop` taken out. {"$repeat": [head, text, times]}
stands for a long text. All of them are meant for the built-in example configuration.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TABLE: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "kinds.json").read_text("utf-8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BadEvent:
    """One event that must be refused with this code and field; `sent` are the keys and values that make it bad."""

    why: str
    event: dict[str, Any]
    code: str
    field: str | None
    sent: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.event['kind']}-{self.code}-{self.field}"


def good_events() -> dict[str, dict[str, Any]]:
    """One good event of every kind, with as many of its fields as can be given together."""
    return {kind: dict(entry["good"]) for kind, entry in TABLE.items()}


def bad_events() -> list[BadEvent]:
    """Every bad event of the table."""
    return [_bad(entry["good"], row) for entry in TABLE.values() for row in entry["bad"]]


def _bad(good: dict[str, Any], row: dict[str, Any]) -> BadEvent:
    put_in = {name: _spelled_out(value) for name, value in row.get("set", {}).items()}
    kept = {name: value for name, value in good.items() if name not in row.get("drop", ())}
    sent = [text for value in put_in.values() for text in _texts(value)]
    sent += [name for name in put_in if row["code"] == "unknown_key" and name not in ("", "product")]
    return BadEvent(why=row["why"], event=kept | put_in, code=row["code"], field=row["field"], sent=tuple(sent))


def _spelled_out(value: Any) -> Any:
    if isinstance(value, dict) and "$repeat" in value:
        head, text, times = value["$repeat"]
        return head + text * times
    return value


def _texts(value: Any) -> Iterator[str]:
    """What of a sent value could be recognised in an answer."""
    if isinstance(value, dict):
        yield from (text for name, inner in value.items() for text in (name, *_texts(inner)))
    elif isinstance(value, list):
        yield from (text for inner in value for text in _texts(inner))
    else:
        yield value if isinstance(value, str) else json.dumps(value)

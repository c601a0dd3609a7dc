"""The vocabularies of schemas/buckets.toml: what a dimension may hold, and whom it describes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from collector.errors import Misconfigured

_KEYS = {"class", "tells", "values", "registered", "pattern"}
_VOCABULARIES = {"values", "registered", "pattern"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One dimension; one of `values` (closed), `registered` (closed by configuration), `pattern` (open) is set."""

    name: str
    whose: Literal["ours", "theirs"]
    tells: str
    values: frozenset[str] | None
    registered: str | None
    pattern: re.Pattern[str] | None

    @property
    def is_open(self) -> bool:
        """Whether anybody can make up values for it, so that their number is capped (count/caps.py)."""
        return self.pattern is not None

    @property
    def is_theirs(self) -> bool:
        """Whether it describes the caller: such values are only named where a crowd stands behind them."""
        return self.whose == "theirs"


def read_dimensions(text: dict[str, Any]) -> dict[str, Dimension]:
    """The dimensions of a parsed buckets.toml; raises Misconfigured where class, meaning or vocabulary is wrong."""
    if unknown := text.keys() - {"reserved", "cap", "dimension"}:
        raise Misconfigured(f"buckets.toml: unknown key {min(unknown)}")
    return {name: _dimension(name, entry) for name, entry in text["dimension"].items()}


def read_cap(text: dict[str, Any]) -> int:
    """How many values of an open dimension a property may name on one day; raises Misconfigured."""
    cap = text.get("cap")
    if not isinstance(cap, int) or isinstance(cap, bool) or cap < 1:
        raise Misconfigured("buckets.toml: cap must be a whole number from 1 on")
    return cap


def _dimension(name: str, entry: dict[str, Any]) -> Dimension:
    if unknown := entry.keys() - _KEYS:
        raise Misconfigured(f"buckets.toml: {name}: unknown key {min(unknown)}")
    if entry.get("class") not in ("ours", "theirs") or not entry.get("tells"):
        raise Misconfigured(f"buckets.toml: {name}: needs class (ours or theirs) and tells")
    if len(entry.keys() & _VOCABULARIES) != 1:
        raise Misconfigured(f"buckets.toml: {name}: needs exactly one of values, registered, pattern")
    return Dimension(
        name=name,
        whose=entry["class"],
        tells=entry["tells"],
        values=frozenset(entry["values"]) if "values" in entry else None,
        registered=entry.get("registered"),
        pattern=re.compile(entry["pattern"]) if "pattern" in entry else None,
    )

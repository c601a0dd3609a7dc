"""The reports of schemas/reports.toml: what is counted, from which kinds, by which dimensions.

A Report is the declaration as data. How events of a kind enter it is compiled in catalogue/layout.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from collector.catalogue.buckets import Dimension
from collector.cell import MAX_DIMENSIONS
from collector.errors import Misconfigured

THRESHOLD_FLOOR = 5
_REPORT_KEYS = {"question", "by", "grain", "visitors", "counts", "amount", "each"}
_COUNT_KEYS = {"kind", "add", "when", "of"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """One rule: an event of `kind` for which all conditions of `when` hold adds 1, or its number `of`, to a counter."""

    kind: str
    add: Literal["events", "amount"]
    when: tuple[str, ...]
    of: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Each:
    """Count once per field that is 1 or more, under the field's name as the value of `dimension`."""

    fields: tuple[str, ...]
    dimension: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A declared aggregate. `by` holds dimensions of ours first, then `theirs` of them that describe the caller."""

    name: str
    question: str
    by: tuple[str, ...]
    theirs: int
    grain: Literal["hour", "day"]
    visitors: bool
    counts: tuple[Count, ...]
    amount: str | None
    each: Each | None

    @property
    def ours(self) -> int:
        """How many leading dimensions describe the site or the software."""
        return len(self.by) - self.theirs

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds it counts, in their order of declaration."""
        return tuple(dict.fromkeys(count.kind for count in self.counts))

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures an answer has: events, and visitors and amount where declared."""
        return ("events",) + (("visitors",) if self.visitors else ()) + (("amount",) if self.amount else ())


def read_reports(text: dict[str, Any], dimensions: dict[str, Dimension]) -> tuple[int, dict[str, Report]]:
    """The threshold k and the reports of a parsed reports.toml; raises Misconfigured where one cannot be as it says."""
    if unknown := text.keys() - {"threshold", "report"}:
        raise Misconfigured(f"reports.toml: unknown key {min(unknown)}")
    threshold = text["threshold"]
    if type(threshold) is not int or threshold < THRESHOLD_FLOOR:
        raise Misconfigured(f"reports.toml: threshold must be a whole number of at least {THRESHOLD_FLOOR}")
    return threshold, {name: _report(name, entry, dimensions) for name, entry in text["report"].items()}


def _report(name: str, entry: dict[str, Any], dimensions: dict[str, Dimension]) -> Report:
    def wrong(rule: str) -> Misconfigured:
        return Misconfigured(f"reports.toml: {name}: {rule}")

    if unknown := entry.keys() - _REPORT_KEYS:
        raise wrong(f"unknown key {min(unknown)}")
    if not entry.get("question"):
        raise wrong("has no question")
    by = tuple(entry.get("by", ()))
    if len(by) > MAX_DIMENSIONS or len(set(by)) != len(by):
        raise wrong(f"needs at most {MAX_DIMENSIONS} different dimensions")
    if undeclared := [dimension for dimension in by if dimension not in dimensions]:
        raise wrong(f"dimension {undeclared[0]} is not in buckets.toml")
    theirs = [dimensions[dimension].is_theirs for dimension in by]
    if theirs != sorted(theirs):
        raise wrong("dimensions of theirs stand last")
    if entry.get("grain") not in ("hour", "day"):
        raise wrong("grain is hour or day")
    if entry["grain"] == "hour" and any(theirs):
        raise wrong("hour grain goes with no dimension of theirs")
    counts = tuple(_count(wrong, count) for count in entry["counts"])
    if ("amount" in entry) != any(count.add == "amount" for count in counts):
        raise wrong("what the amount means is said exactly where one is added")
    return Report(
        name=name,
        question=entry["question"],
        by=by,
        theirs=sum(theirs),
        grain=entry["grain"],
        visitors=entry.get("visitors", False),
        counts=counts,
        amount=entry.get("amount"),
        each=_each(wrong, entry["each"], by) if "each" in entry else None,
    )


def _count(wrong: Any, entry: dict[str, Any]) -> Count:
    if entry.keys() - _COUNT_KEYS or entry.get("add") not in ("events", "amount") or "kind" not in entry:
        raise wrong("a count has kind, add (events or amount), and may have when and of")
    return Count(kind=entry["kind"], add=entry["add"], when=tuple(entry.get("when", ())), of=entry.get("of"))


def _each(wrong: Any, text: str, by: tuple[str, ...]) -> Each:
    fields, _, dimension = text.partition(" as ")
    if dimension not in by:
        raise wrong("each reads: field,field as dimension")
    return Each(fields=tuple(fields.split(",")), dimension=dimension)

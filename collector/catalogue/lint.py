"""What `collector check` refuses in schemas/ beyond what cannot be read at all.

Reading (catalogue/buckets.py, reports.py, layout.py) raises Misconfigured for a report without a question, with more
than three dimensions, or of the hour with a dimension of theirs. Here are the rules about declarations together: fields
and who reads them, vocabularies in two files, reports that could be joined, and the lock that keeps a report's
dimensions what they were: its rows in the database know them by position only.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from collector.catalogue.buckets import Dimension
from collector.catalogue.declarations import Declarations
from collector.catalogue.reports import Report
from collector.catalogue.rules import compile_schema, rules_of
from collector.errors import Misconfigured

LOCK = "reports.lock"
_LOCK_HEAD = """\
# Each report's dimensions, for good: stored rows know them by position only. Written by `collector check --lock`.
# A line is never changed or removed; a report that counts something else is another report, with another name.
"""

# Fields that the door itself reads, of every kind.
READ_AT_THE_DOOR = {
    "kind": "what happened",
    "site": "of which property",
    "product": "of which property",
    "id": "that a retry is counted once",
    "age_s": "in which hour",
    "test": "that it is not counted",
}
# Fields that are reduced to other facts (reduce/), and to which.
REDUCED_TO = {
    "url": ("path", "utm_source", "utm_medium", "utm_campaign"),
    "referrer": ("source", "entry"),
}
# Facts that reduce/ derives for every kind, from the address and the headers.
DERIVED = {"country", "os", "device", "browser", "language"}

_OPEN_REPETITION = re.compile(r"[*+]|\{\d+,\}")
_LITERALS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]")


def check_declarations(declarations: Declarations, folder: Path) -> list[str]:
    """Every problem of the declarations read from `folder`, each naming file, place and rule; none: they are fine."""
    return [
        *(problem for kind, schema in declarations.kinds.items() for problem in _kind(kind, schema, declarations)),
        *_facts(declarations),
        *_shared_theirs(declarations),
        *_unused_dimensions(declarations),
        *_lock(declarations, folder),
    ]


def write_lock(declarations: Declarations, folder: Path) -> None:
    """Add new reports to the lock; raises Misconfigured if one that is in it has other dimensions now."""
    locked = _locked(folder)
    if changed := _changed(declarations, locked):
        raise Misconfigured("; ".join(changed))
    names = locked | {name: list(report.by) for name, report in declarations.reports.items()}
    lines = [f"{name} = {json.dumps(names[name])}\n" for name in sorted(names)]
    (folder / LOCK).write_text(_LOCK_HEAD + "".join(lines), "utf-8")


def _kind(kind: str, schema: dict[str, Any], declarations: Declarations) -> Iterator[str]:
    """Problems of one event schema by itself and against the vocabularies."""
    where = f"events/{kind}.json"
    fields: dict[str, Any] = schema.get("properties", {})
    if schema.get("type") != "object" or schema.get("additionalProperties") is not False:
        yield f"{where}: is not closed: type is object and additionalProperties false"
    if not schema.get("title") or not schema.get("description"):
        yield f"{where}: has no title or no description"
    if fields.get("kind", {}).get("const") != kind:
        yield f"{where}: kind: its const is the name of the file"
    yield from (
        f"{where}: {name}: is required but not declared" for name in schema.get("required", ()) if name not in fields
    )
    try:
        rules_of(kind, schema)
    except (Misconfigured, KeyError, ValueError) as error:
        yield str(error) if isinstance(error, Misconfigured) else f"{where}: lacks or misuses a keyword: {error}"
        return
    if not schema.get("examples") or not all(compile_schema(schema).is_valid(event) for event in schema["examples"]):
        yield f"{where}: has no example, or one that is not valid"
    layout = declarations.layouts.get(kind)
    facts = set(layout.facts) if layout else set()
    for name, field in fields.items():
        if not field.get("description"):
            yield f"{where}: {name}: has no description"
        yield from (f"{where}: {name}: {problem}" for problem in _bounds(field))
        if name not in READ_AT_THE_DOOR and facts.isdisjoint((name, *REDUCED_TO.get(name, ()))):
            yield f"{where}: {name}: no report or reduction reads it"
        if name in declarations.dimensions:
            yield from (f"{where}: {name}: {problem}" for problem in _vocabulary(field, declarations.dimensions[name]))


def _bounds(field: dict[str, Any]) -> Iterator[str]:
    """Whether everything a field can hold is bounded."""
    if "enum" in field or "const" in field:
        return
    match field["type"]:
        case "boolean":
            pass
        case "integer":
            if "minimum" not in field or "maximum" not in field:
                yield "a whole number without minimum and maximum"
        case "string":
            if "maxLength" not in field and not is_bounded(field.get("pattern", "")):
                yield "an unbounded string: it needs enum, maxLength, or a pattern from ^ to $ without * + {n,}"
        case "array":
            if "maxItems" not in field or "items" not in field:
                yield "an unbounded list: it needs enum, or items and maxItems"
            else:
                yield from _bounds(field["items"])


def is_bounded(pattern: str) -> bool:
    """Whether only texts of a bounded length match: from ^ to $, without alternatives or open repetition."""
    bare = _LITERALS.sub("x", pattern)
    return bare[:1] == "^" and bare[-1:] == "$" and "|" not in bare and not _OPEN_REPETITION.search(bare)


def _vocabulary(field: dict[str, Any], dimension: Dimension) -> Iterator[str]:
    """Whether a field that is also a dimension may hold what buckets.toml says, and nothing else."""
    if dimension.values is not None:
        # A list is spelled by the first letters of its words; the empty one is no bucket.
        listed = field.get("type") == "array"
        choices = ["".join(word[0] for word in each) if listed else each for each in field.get("enum", ())]
        if {choice for choice in choices if choice} != dimension.values:
            yield "its values are not those of buckets.toml"
    elif dimension.pattern is not None:
        if field.get("pattern") != dimension.pattern.pattern:
            yield "its pattern is not that of buckets.toml"
    elif field.get("x-registered", dimension.registered) != dimension.registered:
        yield "it is not registered where buckets.toml says"
    elif "x-registered" not in field and "pattern" not in field:
        yield "it is neither registered nor of a pattern"


def _facts(declarations: Declarations) -> Iterator[str]:
    """Whether every event can tell what the reports want to know of its kind."""
    for report in declarations.reports.values():
        yield from (
            f"reports.toml: {report.name}: counts an undeclared kind: {kind}"
            for kind in report.kinds
            if kind not in declarations.kinds
        )
        if report.each:
            values = declarations.dimensions[report.each.dimension].values
            if values != frozenset(report.each.fields):
                yield f"reports.toml: {report.name}: the fields of each are not the values of {report.each.dimension}"
    for kind, layout in declarations.layouts.items():
        fields = declarations.kinds.get(kind, {}).get("properties", {})
        told = DERIVED.union(fields, *(REDUCED_TO[name] for name in fields if name in REDUCED_TO))
        yield from (
            f"reports.toml: {fact} is wanted of {kind}, which cannot tell it"
            for fact in layout.facts
            if fields and fact not in told
        )


def _shared_theirs(declarations: Declarations) -> Iterator[str]:
    """No two reports of one kind share a dimension of theirs: they could be joined or differenced."""
    for one, other in combinations(declarations.reports.values(), 2):
        if set(one.kinds) & set(other.kinds):
            yield from (
                f"reports.toml: {one.name} and {other.name} count one kind by {dimension}, which is of theirs"
                for dimension in sorted(_theirs(one) & _theirs(other))
            )


def _theirs(report: Report) -> set[str]:
    return set(report.by[report.ours :])


def _unused_dimensions(declarations: Declarations) -> Iterator[str]:
    used = {dimension for report in declarations.reports.values() for dimension in report.by}
    return (f"buckets.toml: {name}: no report uses it" for name in declarations.dimensions if name not in used)


def _lock(declarations: Declarations, folder: Path) -> Iterator[str]:
    try:
        locked = _locked(folder)
    except Misconfigured as error:
        yield str(error)
        return
    yield from _changed(declarations, locked)
    yield from (
        f"{LOCK}: {name}: is not locked yet: run collector check --lock"
        for name in declarations.reports
        if name not in locked
    )


def _locked(folder: Path) -> dict[str, list[str]]:
    path = folder / LOCK
    try:
        return tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{LOCK}: cannot be read: {error}") from error


def _changed(declarations: Declarations, locked: dict[str, list[str]]) -> list[str]:
    return [
        f"{LOCK}: {name}: its dimensions were {', '.join(locked[name]) or 'none'} and never change: use another name"
        for name, report in declarations.reports.items()
        if name in locked and locked[name] != list(report.by)
    ]

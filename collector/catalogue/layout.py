"""How events of one kind enter the reports: the declarations compiled to what door and loader run per event.

A Layout fixes the order of an event's facts and lists its lines. A Line is one way into one report: a condition, the
dimension values, what is added. The door makes marks per line, the loader adds up cells per line; both from the same
compiled object, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Literal

from collector.catalogue.buckets import Dimension
from collector.catalogue.reports import Count, Report
from collector.cell import UNKNOWN
from collector.errors import Misconfigured
from collector.event import Fact

Facts = tuple[Fact, ...]
Role = Literal["bucket", "flag", "number"]
EACH_COUNT = "count"
SENDER_DIMENSIONS = frozenset({"country", "os", "device", "browser", "language"})  # reduce/sender.py
MAX_LINES = 21  # an event's marks, three bits a line, are one number of at most 63 bits in a frame (count/marks.py)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One way of a kind into a report.

    touches     whether an event with these facts is counted here at all
    values      the dimension values of its cell
    increments  (events, amount) to add there
    """

    report: Report
    touches: Callable[[Facts], bool]
    values: Callable[[Facts], tuple[str, ...]]
    increments: Callable[[Facts], tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What of a kind is kept as far as the spool: `facts` names it in order, `roles` says what each fact is.

    open_facts    place and dimension of each fact that anybody can make up values for (count/caps.py)
    of_sender     the lines that every event enters by what its sender is (country, platform, language): by nothing else
    sender_facts  picks what these read, which hardly changes from one event of a sender to the next; None where they
                  are fewer than two
    """

    kind: str
    facts: tuple[str, ...]
    roles: tuple[Role, ...]
    lines: tuple[Line, ...]
    open_facts: tuple[tuple[int, str], ...]
    of_sender: tuple[Line, ...]
    sender_facts: Callable[[Facts], Facts] | None

    def remap(self, names: list[str], facts: list[Fact]) -> Facts:
        """Facts written under another declaration, put into this order by name; what was not kept then is not given."""
        known = dict(zip(names, facts, strict=True))
        return tuple(known.get(name, ABSENT[role]) for name, role in zip(self.facts, self.roles, strict=True))


ABSENT: dict[Role, Fact] = {"bucket": UNKNOWN, "flag": False, "number": None}


def layouts_of(
    reports: dict[str, Report], kinds: dict[str, dict[str, Any]], dimensions: dict[str, Dimension]
) -> dict[str, Layout]:
    """Compile every kind's layout; raises Misconfigured where a report counts what no event can tell."""
    counted = dict.fromkeys(kind for report in reports.values() for kind in report.kinds)
    return {kind: _layout(kind, reports, kinds.get(kind, {}).get("properties", {}), dimensions) for kind in counted}


def _layout(kind: str, reports: dict[str, Report], fields: dict[str, Any], dimensions: dict[str, Dimension]) -> Layout:
    names: dict[str, Role] = {}

    def role_of(name: str) -> Role:
        if name in dimensions:
            return "bucket"
        return "number" if fields.get(name, {}).get("type") == "integer" else "flag"

    for report in reports.values():
        if kind in report.kinds:
            for name in names_read(report, kind):
                names.setdefault(name, role_of(name))
    position = {name: index for index, name in enumerate(names)}
    lines = [
        _line(report, counts, field, position, names)
        for report in reports.values()
        if (counts := [count for count in report.counts if count.kind == kind])
        for field in (report.each.fields if report.each else (None,))
    ]
    if len(lines) > MAX_LINES:
        raise Misconfigured(
            f"reports.toml: {kind} enters reports in {len(lines)} ways: at most {MAX_LINES} are possible"
        )
    of_sender = tuple(line for line in lines if line.touches is always and set(line.report.by) <= SENDER_DIMENSIONS)
    read = dict.fromkeys(position[name] for line in of_sender for name in line.report.by)
    return Layout(
        kind=kind,
        facts=tuple(names),
        roles=tuple(names.values()),
        lines=tuple(lines),
        open_facts=tuple((place, name) for name, place in position.items() if _is_open(name, dimensions)),
        of_sender=of_sender,
        sender_facts=itemgetter(*read) if len(of_sender) > 1 and len(read) > 1 else None,
    )


def _is_open(name: str, dimensions: dict[str, Dimension]) -> bool:
    return name in dimensions and dimensions[name].is_open


def names_read(report: Report, kind: str) -> list[str]:
    """The facts of a kind that a report reads: for its dimensions, conditions and numbers."""
    each = report.each
    names = [name for name in report.by if not (each and name == each.dimension)]
    names += each.fields if each else ()
    for count in report.counts:
        if count.kind == kind:
            names += [term.split(" in ")[0].strip() for condition in count.when for term in condition.split("|")]
            names += [count.of] if count.of and not (each and count.of == EACH_COUNT) else []
    return names


def _line(
    report: Report, counts: list[Count], field: str | None, position: dict[str, int], roles: dict[str, Role]
) -> Line:
    rules = [
        (count.add, _all([_condition(text, position, roles) for text in count.when]), _number(count, field, position))
        for count in counts
    ]
    wheres = [where for _, where, _ in rules]

    touches = _any(wheres)

    def touches_each(facts: Facts) -> bool:
        return bool(field and facts[position[field]]) and touches(facts)

    def increments(facts: Facts) -> tuple[int, int]:
        events = amount = 0
        for add, where, number in rules:
            if where(facts):
                if add == "events":
                    events += 1
                else:
                    amount += number(facts)
        return events, amount

    return Line(
        report=report,
        touches=touches_each if field else touches,
        values=_values(report, field, position),
        increments=one_event if wheres == [always] and rules[0][0] == "events" else increments,
    )


def always(facts: Facts) -> bool:
    """The condition of a line that counts every event of its kind."""
    return True


def one_event(facts: Facts) -> tuple[int, int]:
    """The increments of a line that only counts events."""
    return 1, 0


def _values(report: Report, field: str | None, position: dict[str, int]) -> Callable[[Facts], tuple[str, ...]]:
    if report.each and field:
        constant, dimension = field, report.each.dimension
        places = [None if name == dimension else position[name] for name in report.by]
        return lambda facts: tuple(constant if place is None else str(facts[place]) for place in places)
    where = [position[name] for name in report.by]
    if not where:
        return lambda facts: ()
    if len(where) == 1:
        only = where[0]
        return lambda facts: (facts[only],)  # type: ignore[return-value]  # a dimension's fact is a bucket
    return itemgetter(*where)


def _number(count: Count, field: str | None, position: dict[str, int]) -> Callable[[Facts], int]:
    if count.of is None:
        return lambda facts: 1
    name = field if field and count.of == EACH_COUNT else count.of
    if name not in position:
        raise Misconfigured(f"reports.toml: {name} is not a number of {count.kind}")
    place = position[name]
    return lambda facts: int(facts[place] or 0)


def _all(conditions: list[Callable[[Facts], bool]]) -> Callable[[Facts], bool]:
    if not conditions:
        return always
    if len(conditions) == 1:
        return conditions[0]
    return lambda facts: all(condition(facts) for condition in conditions)


def _condition(text: str, position: dict[str, int], roles: dict[str, Role]) -> Callable[[Facts], bool]:
    return _any([_term(term.strip(), position, roles) for term in text.split("|")])


def _any(conditions: list[Callable[[Facts], bool]]) -> Callable[[Facts], bool]:
    if always in conditions:
        return always
    condition, *others = conditions
    for other in others:
        condition = _either(condition, other)
    return condition


def _either(one: Callable[[Facts], bool], other: Callable[[Facts], bool]) -> Callable[[Facts], bool]:
    return lambda facts: one(facts) or other(facts)


def _term(text: str, position: dict[str, int], roles: dict[str, Role]) -> Callable[[Facts], bool]:
    name, _, values = text.partition(" in ")
    if not values:
        return _given(position[name], roles[name])
    place, allowed = position[name], frozenset(values.split())
    return lambda facts: facts[place] in allowed


def _given(place: int, role: Role) -> Callable[[Facts], bool]:
    """A flag is given if true, a number if present, a bucket if known."""
    if role == "bucket":
        return lambda facts: facts[place] != UNKNOWN
    if role == "flag":
        return lambda facts: facts[place] is True
    return lambda facts: facts[place] is not None

"""Questions of analysts: any query is refused with a declared parameter, or becomes a plan whose statements never vary.

A statement is known beforehand by the report, the interval and the dimensions: no byte of a query is in one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import combinations
from typing import Any
from urllib.parse import parse_qsl

from clickhouse_connect.driver.client import Client

from collector.analyst.api import body_of
from collector.analyst.roles import Asker, Role
from collector.catalogue.registry import Registry
from collector.stats.answer import Answers
from collector.stats.question import INTERVALS, PARAMETERS, Question
from collector.stats.refusing import BadQuestion, NoSuchReport
from collector.warehouse.reading import Reading, cells_statement, sealed_statement
from tests.fuzz.target import CANARY, Target, Try
from tests.memory_reading import PLAYER, REGISTRY, SITE
from tests.payloads import payloads
from tests.stats_desk import Desk, declared

REPORTS = tuple(declared().reports)
VIEWER = Asker(name="vera", role=Role.VIEWER, properties=frozenset({SITE}))
_FIRST, _LAST = date(1, 1, 2), date(9999, 12, 31)


class Told:
    """A client that remembers what it was asked, and knows of nothing."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.result_rows: list[Any] = []

    def query(self, statement: str, parameters: dict[str, Any]) -> Told:
        assert CANARY not in statement
        self.statements.append(statement)
        return self

    def close(self) -> None:
        """Nothing is open."""


class Listening:
    """An engine whose one client is that."""

    def __init__(self) -> None:
        self.client = Told()

    def reader(self) -> Client:
        return self.client  # type: ignore[return-value]  # as much of one as Reading uses

    writer = reader

    def cancel(self) -> None:
        """Nothing runs."""

    close = cancel


def _every_statement() -> set[str]:
    """Those that depend on a question: of any report, by any interval and any of its dimensions."""
    made = set()
    for report in declared().reports.values():
        made.add(cells_statement(report))
        for size in range(len(report.by) + 1):
            for dimensions in combinations(report.by, size):
                made |= {sealed_statement(report, interval, dimensions) for interval in (None, *INTERVALS)}
    return made


@contextmanager
def _questions() -> Iterator[Try]:
    known, engine, desk = _every_statement(), Listening(), Desk()
    answers = Answers(declared(), REGISTRY, Reading(engine), desk.clock, desk.open_days)
    reading = Answers(declared(), REGISTRY, desk.reading, desk.clock, desk.open_days)
    desk.put("pages", "2026-11-22", f"/{CANARY[:3]}", events=12)
    fixed: set[str] = set()

    def try_it(data: bytes) -> None:
        report = REPORTS[data[0] % len(REPORTS)] if data else ""
        query = parse_qsl(data[1:].decode("utf-8", "replace"), keep_blank_values=True)
        try:
            question = answers.read(report, VIEWER.as_known(query))
        except BadQuestion as bad:
            _assert_declared(bad, named=bool(data))
            return
        _assert_sound(question, REGISTRY)
        engine.client.statements.clear()
        answers.ask(question)
        new = set(engine.client.statements) - known
        fixed.update(new)
        assert len(fixed) <= MOST_FIXED, "a statement varies with its question"
        body_of(reading.ask(question))

    try:
        yield try_it
    finally:
        desk.close()


MOST_FIXED = 5  # parts, marks of parts, bounds, days that are present, and one to spare


def _assert_declared(bad: BadQuestion, *, named: bool) -> None:
    assert bad.parameter in (None, "report", *PARAMETERS)
    assert CANARY not in bad.rule
    assert not (named and isinstance(bad, NoSuchReport))


def _assert_sound(question: Question, registry: Registry) -> None:
    assert question.property_id == SITE, "a viewer was let see what is not theirs"
    assert registry.knows(question.property_id)
    assert _FIRST <= question.first <= question.last <= _LAST
    assert set(question.by) <= set(question.report.by)
    assert all(each.dimension in question.report.by for each in question.filters)
    assert question.sort is None or question.sort.column in question.columns
    assert 1 <= question.limit <= 100_000
    assert 0 <= question.offset <= 1_000_000


def _asked() -> Iterator[bytes]:
    start = f"property={SITE}"
    for number, report in enumerate(declared().reports.values()):
        by = f"&by={','.join(report.by)}" if report.by else ""
        yield bytes((number,)) + f"{start}&period=7d{by}&interval=day&sort=-events&limit=10".encode()
        for dimension in report.by:
            for op in ("==", "!=", "~"):
                yield (
                    bytes((number,)) + f"{start}&from=2026-11-01&to=2026-11-22&filter={dimension}{op}{CANARY}".encode()
                )
    yield b"\1" + f"{start}&from=0001-01-01&to=9999-12-31&interval=month&compare=year&format=csv".encode()
    yield b"\2" + f"property={PLAYER}&period=month&compare=previous&offset=5".encode()
    for text in payloads()[::12]:
        yield b"\3" + f"{start}&filter=path=={text}".encode()


TARGETS = (
    Target(
        name="questions",
        opened=_questions,
        seeds=_asked,
        words=(
            *(f"&{name}=".encode() for name in PARAMETERS),
            *(
                b"-events",
                b"previous",
                b"year",
                b"hour",
                b"week",
                b"9999-12-31",
                b"0001-01-01",
                b"28d",
                b"%5C%2C",
                b"!=",
            ),
        ),
    ),
)

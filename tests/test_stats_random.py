"""Whatever is asked: pages add up to totals, the parts of a filter to the whole, and an export is the answer."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import orjson
import pytest

from collector.analyst.api import body_of
from collector.stats.answer import Answer
from collector.warehouse.reading import SealedRow
from tests.asking import Asked, Pairs, random_days, random_question
from tests.memory_reading import DAY_S, PLAYER, SITE, seconds
from tests.stats_desk import TODAY, Desk, declared

QUESTIONS = 1_000
REPORTS = {
    SITE: ("traffic", "pages", "bounces", "campaigns", "countries", "platforms"),
    PLAYER: ("installs", "downloads"),
}
VALUES = ("a", "ab", "b,c", "=d", "e\\")


@pytest.fixture(scope="module")
def desk() -> Desk:
    """Ten days, the older half of them sealed, on two nodes and in two epochs; some groups are crowds, some are not."""
    desk = Desk()
    dice = random.Random(7)
    sealed = seconds("2026-11-17T00:00:00") // DAY_S
    for property_id, names in REPORTS.items():
        for name in names:
            report = declared().reports[name]
            for _ in range(40):
                day = date.fromisoformat(TODAY) - timedelta(days=dice.randrange(10))
                hour = dice.randrange(24) if report.grain == "hour" else 0
                values = tuple(dice.choice(VALUES) for _ in report.by)
                counted = {"events": dice.choice([1, 4, 12, 40]), "amount": dice.randrange(5) if report.amount else 0}
                at = seconds(f"{day}T{hour:02}:00:00")
                if at // DAY_S <= sealed:
                    row = SealedRow(at, 1, values, counted["events"], counted["events"], counted["amount"])
                    desk.reading.rows.append((name, property_id, row))
                else:
                    where = {"node": dice.randint(1, 2), "epoch": dice.randint(1, 2)}
                    desk.put(name, f"{day}T{hour:02}:00:00", *values, property_id=property_id, **counted, **where)
    desk.reading.through = {1: sealed, 2: sealed}
    desk.reading.rows.sort(key=lambda row: (row[2].bucket, row[2].node))
    return desk


def questions(count: int) -> list[Asked]:
    dice = random.Random(11)
    today = date.fromisoformat(TODAY)
    asked = []
    for _ in range(count):
        property_id = dice.choice(list(REPORTS))
        report = declared().reports[dice.choice(REPORTS[property_id])]
        asked.append(random_question(dice, property_id, report, VALUES, random_days(dice, today)))
    return asked


def ask(desk: Desk, asked: Asked, pairs: Pairs) -> Answer:
    return desk.answers.ask(desk.answers.read(asked.report.name, pairs))


def additive(answer: Answer) -> Counter[str]:
    return Counter({name: answer.totals[name] or 0 for name in ("events", "amount") if name in answer.totals})


def summed(answers: list[Answer]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for answer in answers:
        for row in answer.rows:
            cells = dict(zip(answer.columns, row, strict=True))
            sums.update({name: int(cells[name] or 0) for name in ("events", "amount") if name in cells})
    return sums


def test_the_rows_of_all_pages_add_up_to_the_totals_of_each_and_come_in_one_order(desk: Desk) -> None:
    many = paged = 0
    for asked in questions(QUESTIONS):
        whole = ask(desk, asked, asked.page(100_000))
        limit = max(1, (len(whole.rows) + 2) // 3)
        pages = [ask(desk, asked, asked.page(limit, offset)) for offset in range(0, len(whole.rows) + 1, limit)]
        rows = [row for page in pages for row in page.rows]
        assert summed(pages) == summed([whole]) == additive(whole), asked
        assert all(page.totals == whole.totals for page in pages)
        assert all(0 <= len(page.rows) <= limit for page in pages)
        if whole.question.sort:
            assert tuple(rows) == whole.rows, asked
        assert sorted(map(str, rows)) == sorted(map(str, whole.rows)), asked
        many += len(whole.rows) > 1
        paged += len(pages) > 2
    assert min(many, paged) > QUESTIONS // 4  # it was worth it


def test_what_a_filter_picks_and_what_it_leaves_is_the_whole(desk: Desk) -> None:
    dice = random.Random(13)
    split = 0
    for asked in questions(QUESTIONS):
        if not asked.report.by:
            continue
        whole = ask(desk, asked, asked.pairs)
        dimension, value = dice.choice(asked.report.by), dice.choice(["a", "ab", "=d", "(other)", "never", "a,ab"])
        parts = [asked.filtered(f"{dimension}{op}{value}") for op in ("==", "!=")]
        picked, left = (ask(desk, part, part.pairs) for part in parts)
        assert additive(picked) + additive(left) == additive(whole), asked
        if whole.earlier and picked.earlier and left.earlier:
            before = [replace(each, totals=each.earlier.totals) for each in (picked, left, whole) if each.earlier]
            assert additive(before[0]) + additive(before[1]) == additive(before[2])
        split += bool(picked.totals["events"] and left.totals["events"])
    assert split > QUESTIONS // 10


def test_what_is_exported_is_what_is_answered(desk: Desk) -> None:
    exported = 0
    for asked in questions(QUESTIONS // 4):
        pairs = asked.page(20)
        told: dict[str, Any] = orjson.loads(body_of(ask(desk, asked, pairs)))
        text = body_of(ask(desk, asked, [*pairs, ("format", "csv")])).decode()
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        assert header == told["columns"]
        assert rows == [["" if cell is None else inert(str(cell)) for cell in row] for row in told["rows"]]
        exported += len(rows)
    assert exported > QUESTIONS // 2


def inert(cell: str) -> str:
    return f"'{cell}" if cell[0] in "=+-@\t\r" else cell

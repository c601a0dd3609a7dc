"""Days of random events of every kind to be sealed, a hundred questions about them, and backups of what is sealed."""

from __future__ import annotations

import random
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
from clickhouse_connect.driver.client import Client

from collector.analyst.api import body_of
from collector.event import Event, Fact
from collector.stats.answer import Answers
from collector.stats.merging import EPOCH
from collector.stats.open_days import OpenDays
from collector.stats.shown_file import ShownFile
from collector.warehouse.backing_up import backup_of
from collector.warehouse.backup_file import Reader
from collector.warehouse.engine import Engine
from collector.warehouse.reading import Reading
from tests.asking import Asked, random_question
from tests.loading import DECLARATIONS
from tests.memory_reading import PLAYER, REGISTRY, SITE, SteppedClock
from tests.sealing import FIRST_DAY

WORDS = ("a", "b", "c", "(unknown)")
DAYS = range(FIRST_DAY + 29, FIRST_DAY + 33)  # the end of a January, the beginning of its February
QUESTIONS = 100


def random_events(seed: int, day: int, count: int) -> list[tuple[Event, int]]:
    """Events of every kind on a day, many of them alike, so that crowds and small groups come of them."""
    dice = random.Random(seed)
    made = []
    for _ in range(count):
        kind = dice.choice(list(DECLARATIONS.layouts))
        layout = DECLARATIONS.layouts[kind]
        facts = tuple(_fact(dice, role) for role in layout.roles)
        sorts = {sort for report in DECLARATIONS.reports.values() if kind in report.kinds for sort in _sorts(report)}
        property_id = SITE if "site" in sorts else PLAYER
        made.append((Event(kind, property_id, day * 24 + dice.randrange(24), facts), dice.getrandbits(27)))
    return made


def _sorts(report: Any) -> tuple[str, ...]:
    return DECLARATIONS.sorts_of(report)


def _fact(dice: random.Random, role: str) -> Fact:
    if role == "bucket":
        return WORDS[int(dice.random() ** 2 * len(WORDS))]
    return dice.random() < 0.5 if role == "flag" else dice.randrange(1, 9)


def hundred(seed: int, days: range) -> list[Asked]:
    """A hundred questions about these days: all reports, properties, dimensions, filters, intervals, comparisons."""
    dice = random.Random(seed)
    names = list(DECLARATIONS.reports)
    asked = []
    for number in range(QUESTIONS):
        report = DECLARATIONS.reports[names[number % len(names)]]
        property_id = SITE if "site" in DECLARATIONS.sorts_of(report) else PLAYER
        first = dice.choice(days)
        last = dice.choice(range(first, days[-1] + 1))
        span = (EPOCH + timedelta(days=first), EPOCH + timedelta(days=last))
        asked.append(random_question(dice, property_id, report, WORDS, span))
    return asked


def answered(engine: Engine, clock: SteppedClock, questions: list[Asked], folder: Path) -> list[bytes]:
    """The bodies that answer them, without the moment they were made at."""
    open_days = OpenDays(ShownFile(folder / "shown.sqlite", clock), DECLARATIONS.threshold, live_fold_s=0)
    answers = Answers(DECLARATIONS, REGISTRY, Reading(engine), clock, open_days)
    bodies = [orjson.loads(body_of(answers.ask(answers.read(each.report.name, each.pairs)))) for each in questions]
    return [orjson.dumps({name: value for name, value in body.items() if name != "as_of"}) for body in bodies]


def written(engine: Engine, clock: SteppedClock, path: Path, imported: bytes | None = None) -> Path:
    """A backup of it."""
    path.write_bytes(b"".join(backup_of(engine, DECLARATIONS, clock, lambda: imported)))
    return path


def chunks_in(data: bytes) -> list[bytes]:
    """What its chunks are, byte for byte."""
    return [frame.raw for frame in Reader(BytesIO(data)).frames() if frame.kind == b"C"]


def empty(client: Client) -> None:
    """As on a machine on which nothing was counted."""
    for table in ("hot", "sealed"):
        client.command(f"TRUNCATE TABLE {table}")


def rows_there(client: Client) -> int:
    return int(client.query("SELECT count() FROM sealed").result_rows[0][0])

"""Fleets that run the client's contract: the collector's active installations and retention are those there were."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.engine_choice import needs_embedded
from tests.stack import ROOT, Stack

LETTERS = {"d": "day", "w": "week", "m": "month", "e": "ever"}
OTHER = "(other)"


class Lived(dict[str, Any]):
    """What is true of a fleet, and what the collector says of it."""

    def __init__(self, folder: Path, clients: int, days: int, kind: str) -> None:
        command = [sys.executable, "-m", "tests.fleet", *map(str, (folder, clients, days, kind))]
        made = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        assert made.returncode == 0, made.stderr.decode()
        super().__init__(orjson.loads(made.stdout))
        stack = Stack(folder)
        try:
            asked = {"property": "player", "from_": self["from"], "to": self["to"], "interval": "day", "limit": 10_000}
            self.checks = sum(row[-1] for row in stack.ask("update_checks", **asked)["rows"])
            self.active = active(stack.ask("active", **asked, by="first"))
            self.retention = by_week(stack.ask("retention", **asked, by="age"))
        finally:
            stack.sweep()

    def errors(self, period: str) -> Counter[str]:
        """How much more the collector says than is true, by day, week, month; signed, without zeros."""
        said, true = self.active[period], Counter(self["active"][period])
        return Counter({begins: said[begins] - true[begins] for begins in said | true if said[begins] != true[begins]})


def active(answer: dict[str, Any]) -> dict[str, Counter[str]]:
    """DAU = Σ all, WAU = Σ with w, MAU = Σ with m, new = dwme."""
    said: dict[str, Counter[str]] = {period: Counter() for period in LETTERS.values()}
    for day, first, events, *_ in answer["rows"]:
        starts = {"d": day[:10], "w": week_of(day), "m": f"{day[:7]}-01", "e": day[:10]}
        for letter in first:
            said[LETTERS[letter]][starts[letter]] += events
    return said


def by_week(answer: dict[str, Any]) -> dict[str, Counter[str]]:
    """Installations met in a week, by age."""
    said: dict[str, Counter[str]] = {}
    for day, age, events, *_ in answer["rows"]:
        said.setdefault(week_of(day), Counter())[age] += events
    return said


def week_of(day: str) -> str:
    of = date.fromisoformat(day[:10])
    return str(of - timedelta(days=of.weekday()))


def check_exact(lived: Lived) -> float:
    """All of it is as it was; returns the share of retention that is named by age."""
    assert lived["tally"]["reinstalled"] > 0
    for period in LETTERS.values():
        assert lived.active[period]
        assert not lived.errors(period), period
    assert lived["sent"] == lived["retention"]
    named = 0
    for week, ages in lived["retention"].items():
        said = lived.retention[week]
        assert said.total() == sum(ages.values())
        for age in said.keys() - {OTHER}:
            assert said[age] <= ages[age]
            named += said[age]
    return float(named / sum(sum(ages.values()) for ages in lived["retention"].values()))


def check_bounds(lived: Lived) -> None:
    """What is too much was lost after counting; what is too little met a midnight or was cloned; over all periods."""
    tally = lived["tally"]
    assert min(tally["lost"], tally["raced"]) > 0
    for period in LETTERS.values():
        errors = lived.errors(period)
        assert sum(more for more in errors.values() if more > 0) <= tally["lost"], period
        fewer = -sum(less for less in errors.values() if less < 0)
        assert fewer <= (0 if period == "ever" else tally["raced"] + tally.get("cloned", 0)), period
    assert lived.errors("week"), "a fleet in which nothing went wrong shows nothing"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "fleet"
    made.mkdir()
    return made


@needs_embedded
def test_active_installations_and_retention_are_the_truth_where_no_answer_is_lost(folder: Path) -> None:
    assert check_exact(Lived(folder, 300, 28, "plain")) > 0.7


@needs_embedded
def test_a_lost_answer_costs_one_at_most_and_so_does_a_midnight_or_a_clone(folder: Path) -> None:
    check_bounds(Lived(folder, 300, 10, "rough"))


@pytest.mark.slow
def test_ten_thousand_clients_of_ninety_days_are_counted_exactly(folder: Path) -> None:
    assert check_exact(Lived(folder, 10_000, 90, "plain")) > 0.95


@pytest.mark.slow
def test_ten_thousand_rough_clients_are_off_by_what_was_lost_at_most(folder: Path) -> None:
    check_bounds(Lived(folder, 10_000, 90, "rough"))

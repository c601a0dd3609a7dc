"""The client's contract by itself: 1,000 random lives against a plain account of what each server day should count."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from random import Random

from collector.client.contract import Answer, Checked, Counted, Program, check, first, monday

PROGRAM = Program("player", "1.4.2", "stable", "linux", "x86_64")
KIT = Path(__file__).parent.parent / "collector" / "client"
ALLOWED = {"", "d", "dw", "dm", "dwm", "dwme"}


class Account:
    """What the server was told, and how often it should have been told it."""

    def __init__(self) -> None:
        self.said: Counter[tuple[str, date | None]] = Counter()
        self.true: set[tuple[str, date | None]] = set()

    def take(self, said: str, day: date) -> None:
        assert said in ALLOWED
        periods: dict[str, date | None] = {"d": day, "w": monday(day), "m": day.replace(day=1), "e": None}
        self.said.update((letter, periods[letter]) for letter in said)
        self.true.update(periods.items())


def said_in(target: str) -> str:
    return target.partition("first=")[2].partition("&")[0]


def live(dice: Random, *, lost: float, raced: float) -> tuple[Account, Counter[str]]:
    """One installation's checks over a year and a half."""
    account, tally = Account(), Counter[str]()
    counted: Counted | None = None
    day = date(2026, 1, 1) + timedelta(days=dice.randrange(400))
    for _ in range(dice.randrange(1, 120)):
        day += timedelta(days=dice.choice((0, 0, 1, 1, 1, 2, 5, 30)))
        steps = check(PROGRAM, counted, lambda: True)
        next(steps)
        ask = steps.send(Answer(204, day))
        if dice.random() < raced:
            day += timedelta(days=1)
            tally["raced"] += 1
        answer: Answer | None = None
        if dice.random() > 0.1:  # else it never arrives
            account.take(said_in(ask.target), day)
            is_lost = dice.random() < lost
            tally["lost"] += is_lost
            answer = None if is_lost else Answer(204, day)
        try:
            steps.send(answer)
        except StopIteration as ended:
            checked: Checked = ended.value
            counted = checked.counted
    return account, tally


def test_every_period_with_a_check_is_said_exactly_once() -> None:
    dice = Random(1)
    for _ in range(500):
        account, _ = live(dice, lost=0, raced=0)
        assert account.said == Counter(account.true)


def test_nothing_is_said_twice_but_for_a_lost_answer_and_too_little_only_at_a_midnight() -> None:
    dice, met = Random(2), Counter[str]()
    for _ in range(500):
        account, tally = live(dice, lost=dice.choice((0, 0.1)), raced=dice.choice((0, 0.1)))
        more, less = account.said - Counter(account.true), Counter(account.true) - account.said
        for letter in "dwme":
            assert sum(count for (of, _), count in more.items() if of == letter) <= tally["lost"]
            assert sum(count for (of, _), count in less.items() if of == letter) <= tally["raced"]
        met.update(more=more.total(), less=less.total())
    assert min(met.values()) > 0


def test_letters_of_an_earlier_day_are_never_too_many() -> None:
    days = [date(2026, 12, 1) + timedelta(days=each) for each in range(70)]
    for last in days[::3]:
        counted = Counted(last, monday(last), last.replace(day=1), monday(last))
        for number, heard in enumerate(days):
            for counts in days[number:]:
                assert set(first(counted, heard)) <= set(first(counted, counts))


def imported(path: Path) -> set[str]:
    """What a module imports, its own package left out."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level != 1:
            found.add(node.module or "")
    return found


def test_the_contract_reads_no_clock_no_file_and_no_socket() -> None:
    assert imported(KIT / "contract.py") == {
        "__future__",
        "collections.abc",
        "datetime",
        "re",
        "typing",
        "urllib.parse",
    }
    assert not re.search(r"\b(today|now|open)\(", (KIT / "contract.py").read_text("utf-8"))


def test_the_kit_imports_nothing_but_the_standard_library() -> None:
    modules = list(KIT.glob("*.py"))
    assert len(modules) > 5
    for path in modules:
        assert {name.partition(".")[0] for name in imported(path)} <= sys.stdlib_module_names, path

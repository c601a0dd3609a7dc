"""Made-up traffic (`collector simulate`): counted by the real collector, its reports say what its truth says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from collector.catalogue.registry import read_registry
from collector.cell import OTHER
from collector.tools.simulate.days import Days
from collector.tools.simulate.truth import Truth
from tests.engine_choice import engine_environ
from tests.sealing import DAY_S, date_of
from tests.stack import ROOT, Stack, eventually
from tests.stats_desk import declared

CONFIG = (ROOT / "collector" / "demo.toml").read_text("utf-8")
MADE = {"days": "10", "visitors": "90", "seed": "7"}


def simulate(*options: str | Path, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [sys.executable, "-m", "collector", "simulate", *map(str, options)]
    env = os.environ | (environ or {})
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, dict[str, Any]]]:
    """A collector that serves ten made-up days, the last of them yesterday, and their truth."""
    folder = tmp_path_factory.mktemp("made")
    config, truth = folder / "made.toml", folder / "truth.json"
    config.write_text(CONFIG, "utf-8")
    last = date_of(int(time.time()) // DAY_S - 1)
    options = [text for name, value in MADE.items() for text in (f"--{name}", value)]
    data = Stack.data_in(folder)
    into = ("--data", data, "--config", config, "--last", last, "--truth", truth)
    told = simulate(*into, *options, environ=engine_environ(data))
    assert told.returncode == 0, told.stderr
    assert "10 of 10 days made" in told.stderr
    assert "collector serve --data" in told.stdout
    stack = Stack(folder, config=CONFIG)
    yield stack, orjson.loads(truth.read_bytes())
    stack.sweep()


def rows(stack: Stack, truth: dict[str, Any], property_id: str, report: str) -> Iterator[tuple[str, list[str], Any]]:
    """Of every row by the day: the day, its values, its measures by name."""
    by = declared().reports[report].by
    asked = {"property": property_id, "from_": truth["from"], "to": truth["to"], "interval": "day", "limit": 10_000}
    answer = stack.ask(report, **asked, **({"by": ",".join(by)} if by else {}))
    for row in answer["rows"]:
        measures = dict(zip(answer["columns"][1 + len(by) :], row[1 + len(by) :], strict=True))
        yield row[0][:10], row[1 : 1 + len(by)], measures


def check_all(stack: Stack, truth: dict[str, Any]) -> int:
    """Compare every report of every property with the truth; how many named rows of theirs were met."""
    named = 0
    for property_id, of_property in truth["properties"].items():
        expected: dict[str, dict[str, Counter[tuple[str, ...]]]] = {}
        for day, of_day in of_property["days"].items():
            for report, told in of_day["reports"].items():
                sums = expected.setdefault(report, {}).setdefault(day, Counter())
                for *values, events, amount in told:
                    sums["events", *values] = events
                    sums["amount", *values] = amount
        for report, days in expected.items():
            said: dict[str, Counter[tuple[str, ...]]] = {day: Counter() for day in days}
            for day, values, measures in rows(stack, truth, property_id, report):
                for measure in {"events", "amount"} & measures.keys():
                    said[day][(measure, *values)] += measures[measure] or 0
            for day, sums in days.items():
                named += check_day(report, said[day], sums)
    return named


def check_day(report: str, said: Counter[tuple[str, ...]], sums: Counter[tuple[str, ...]]) -> int:
    """Totals and values of ours are exact, and what is named of theirs is never more; how many rows name theirs."""
    declaration = declared().reports[report]
    of_ours = 1 + declaration.ours

    def of(sums: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
        added: Counter[tuple[str, ...]] = Counter()
        for key, count in sums.items():
            if key[0] == "events" or declaration.amount:
                added[key[:of_ours]] += count
        return +added

    assert of(said) == of(sums), report
    of_theirs = [key for key in said if len(key) > of_ours and OTHER not in key[of_ours:]]
    for key in of_theirs:
        assert said[key] <= sums[key], (report, key)
    return len(of_theirs)


def test_the_reports_of_a_made_up_history_say_what_its_truth_says(made: tuple[Stack, dict[str, Any]]) -> None:
    stack, truth = made
    assert set(truth["properties"]) == {"www.example.org", "player"}
    reports = {
        name for each in truth["properties"].values() for day in each["days"].values() for name in day["reports"]
    }
    assert reports == set(declared().reports)  # none is left out
    assert check_all(stack, truth) > 50  # and theirs are named, too


def test_visitors_and_visits_of_a_made_up_history_are_exact(made: tuple[Stack, dict[str, Any]]) -> None:
    stack, truth = made
    said = {day: measures for day, _, measures in rows(stack, truth, "www.example.org", "traffic")}
    assert len(said) == 10
    for day, told in truth["properties"]["www.example.org"]["days"].items():
        ((events, visits),) = told["reports"]["traffic"]
        assert (said[day]["events"], said[day]["amount"], said[day]["visitors"]) == (events, visits, told["visitors"])


def test_active_installations_by_flags_are_as_many_as_there_are(made: tuple[Stack, dict[str, Any]]) -> None:
    stack, truth = made
    said: dict[str, Counter[str]] = {period: Counter() for period in ("day", "week", "month", "new")}
    for day, (first,), measures in rows(stack, truth, "player", "active"):
        monday = date.fromisoformat(day) - timedelta(days=date.fromisoformat(day).weekday())
        begins = {"d": ("day", day), "w": ("week", str(monday)), "m": ("month", f"{day[:7]}-01"), "e": ("new", day)}
        for letter in first:
            period, start = begins[letter]
            said[period][start] += measures["events"]
    assert said == truth["properties"]["player"]["active"]
    assert all(said.values())


def test_retention_by_flags_is_that_of_the_installations(made: tuple[Stack, dict[str, Any]]) -> None:
    stack, truth = made
    told: dict[str, Counter[str]] = {}
    said: Counter[str] = Counter()
    for day, of_day in truth["properties"]["player"]["days"].items():
        monday = str(date.fromisoformat(day) - timedelta(days=date.fromisoformat(day).weekday()))
        for age, events, _ in of_day["reports"].get("retention", ()):
            told.setdefault(monday, Counter())[age] += events
    for day, _, measures in rows(stack, truth, "player", "retention"):
        said[str(date.fromisoformat(day) - timedelta(days=date.fromisoformat(day).weekday()))] += measures["events"]
    assert told == truth["properties"]["player"]["retention"]
    assert said == {monday: ages.total() for monday, ages in told.items()}


def test_what_is_sent_to_a_running_collector_is_counted_exactly(
    made: tuple[Stack, dict[str, Any]], tmp_path: Path
) -> None:
    stack, _ = made
    config, file = tmp_path / "made.toml", tmp_path / "truth.json"
    config.write_text(CONFIG, "utf-8")
    said = simulate("--to", f"http://{stack.public}", "--config", config, "--for", "2s", "--truth", file)
    assert said.returncode == 0, said.stderr
    truth = orjson.loads(file.read_bytes())
    assert f"Sent {truth['events']:,} events" in said.stdout
    stack.wait_loaded(truth["events"])
    assert stack.counted("events_accepted") == truth["events"] > 0
    check_all(stack, truth)


def test_the_same_seed_makes_the_same_events() -> None:
    def told(seed: int) -> tuple[int, dict[str, Any]]:
        countries = ("US", "DE", "IN", "FR")
        days = Days(
            read_registry(tomllib.loads(CONFIG)),
            lambda address: countries[address[0] % 4],
            seed=seed,
            first=20_000,
            days=20,
            visitors=20,
        )
        truth = Truth()
        for day in range(20_000, 20_020):
            for request in days.day(day):
                truth.count(request)
        return truth.events, truth.told()

    assert told(3) == told(3)
    assert told(3) != told(4)


def test_made_up_days_are_never_mixed_with_others(made: tuple[Stack, dict[str, Any]], tmp_path: Path) -> None:
    stack, _ = made
    running = simulate("--data", stack.data, "--days", "1")
    assert running.returncode == 1
    assert "is in use" in running.stderr
    data = tmp_path / "data"
    with subprocess.Popen(
        [sys.executable, "-m", "collector", "simulate", "--data", str(data)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as killed:
        eventually((data / "spool").exists, "it has begun")
        killed.send_signal(signal.SIGKILL)
    again = simulate("--data", data, "--days", "1")
    assert again.returncode == 1
    assert "already holds counts" in again.stderr
    assert "Traceback" not in again.stderr


def test_made_up_days_do_not_go_to_a_database_that_holds_counts(tmp_path: Path) -> None:
    config, first, other = tmp_path / "made.toml", tmp_path / "first", tmp_path / "other"
    config.write_text(CONFIG, "utf-8")
    few = ("--config", str(config), "--days", "2", "--visitors", "5")  # of today, the minutes past midnight hold none
    assert simulate("--data", first, *few).returncode == 0
    other.mkdir(mode=0o700)
    (first / "clickhouse").rename(other / "clickhouse")
    # As a server that others count on, too: nothing in the data directory tells of what is there.
    blind = (
        "from collector.tools.simulate import history; from collector.cli import collector; history.NOT_EMPTY = ();"
        f"collector({['simulate', '--data', str(other), *few]!r})"
    )
    told = subprocess.run(
        [sys.executable, "-c", blind], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (told.returncode, "the database already holds counts" in told.stderr) == (1, True), told.stderr

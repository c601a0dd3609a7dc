"""`collector import-log` as an operator types it: beside a running collector and without one, killed, and searched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from collector.tools.prove.forms import ADDRESS, ADDRESS_6, OTHER_ADDRESS, Canaries
from collector.tools.prove.scan import scan_files
from collector.warehouse.embedded import open_embedded
from tests.engine_choice import engine_environ, needs_embedded
from tests.made_logs import DAY_S, SITE, Request, date_of, per_day, per_path, rotated, visitors, visits, written
from tests.requires import needs
from tests.sealing import named_under_k
from tests.stack import ROOT, Stack

CONFIG = f'[[site]]\nid = "{SITE}"\nhosts = ["{SITE}"]\nroutes = ["/**"]\n'
TODAY = int(time.time()) // DAY_S
FIRST, DAYS = TODAY - 5, 4
HITS_A_DAY = 5_500
LOOK_EVERY_S = 0.002  # a step of sealing takes a few milliseconds


class Imported(NamedTuple):
    """A running collector, and what was imported beside it."""

    stack: Stack
    made: list[Request]
    logs: list[Path]
    said: str


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    folder = tmp_path_factory.mktemp("imported")
    stack = Stack(folder, config=CONFIG)
    made = visits(FIRST, DAYS, HITS_A_DAY)
    logs = rotated(folder, made, 3)
    told = stack.command("import-log", *map(str, logs))
    assert told.returncode == 0, told.stderr
    yield Imported(stack, made, logs, told.stdout)
    stack.sweep()


def asked(stack: Stack, report: str, **more: str) -> list[list[object]]:
    """Rows of an answer about all days there can be."""
    days = {"from_": date_of(FIRST - 5), "to": date_of(TODAY)}
    rows: list[list[object]] = stack.ask(report, property=SITE, limit="10000", **days, **more)["rows"]
    return rows


# --- beside a running collector ---------------------------------------------------------------------------------------


def test_the_command_says_what_became_of_the_lines(imported: Imported) -> None:
    lines = imported.said.splitlines()
    assert lines[1:3] == [
        "read           22,000  lines",
        f"counted        22,000  page hits  on {date_of(FIRST)} to {date_of(FIRST + DAYS - 1)}, days: {DAYS}",
    ]
    assert "The threshold holds for this import by itself." in lines[-1]


def test_answers_of_the_running_collector_hold_the_days_at_once(imported: Imported) -> None:
    rows = asked(imported.stack, "pages", by="path")
    assert {row[0]: row[1] for row in rows} == per_path(imported.made)
    days = {str(row[0]): row[1] for row in asked(imported.stack, "traffic", interval="day")}
    assert {day: events for day, events in days.items() if events} == per_day(imported.made)


def test_visitors_are_those_of_an_independent_count(imported: Imported) -> None:
    answer = imported.stack.ask("traffic", property=SITE, from_=date_of(FIRST), to=date_of(TODAY), interval="day")
    place = answer["columns"].index("visitors")
    told = {row[0]: row[place] for row in answer["rows"]}
    for day, people in visitors(imported.made).items():
        assert people * 0.997 <= told[day] <= people


def test_goaccess_agrees_on_the_hits_of_every_path(imported: Imported, tmp_path: Path) -> None:
    needs("goaccess")
    log = written(tmp_path / "whole.log", imported.made)
    told = tmp_path / "told.json"
    subprocess.run(
        ["goaccess", str(log), "--log-format=COMBINED", "--no-query-string", "--no-global-config", "-o", str(told)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=60,
    )
    theirs = {each["data"]: each["hits"]["count"] for each in orjson.loads(told.read_bytes())["requests"]["data"]}
    assert theirs == {str(row[0]): row[1] for row in asked(imported.stack, "pages", by="path")}
    assert sum(theirs.values()) == DAYS * HITS_A_DAY


def test_the_same_again_counts_nothing(imported: Imported) -> None:
    before = asked(imported.stack, "pages", by="path", interval="day")
    told = imported.stack.command("import-log", *map(str, imported.logs))
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[-1] == "Nothing is new: nothing was counted."
    assert told.stderr.count("already imported on") == len(imported.logs)
    assert asked(imported.stack, "pages", by="path", interval="day") == before


def test_what_is_wrong_is_said_in_a_sentence(imported: Imported, tmp_path: Path) -> None:
    log = written(tmp_path / "a.log", imported.made[:10])
    told = imported.stack.command("import-log", str(log), "--site", "nobody")
    assert (told.returncode, told.stderr.splitlines()[-1]) == (
        1,
        "Error: --site: must be the id of a site of the configuration",
    )
    for words in ((), ("/no/such.log",), (str(tmp_path),)):
        told = imported.stack.command("import-log", *words)
        assert told.returncode == 2
        assert "Traceback" not in told.stderr


# --- without a running collector --------------------------------------------------------------------------------------


class Alone:
    """Imports into a data folder where nothing runs; what it says goes to a file that is searched, too."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.data = Stack.data_in(folder)
        self.said = folder / "import.log"
        self._config = folder / "collector.toml"
        self._config.write_text(CONFIG)

    def begin(self, logs: list[Path]) -> subprocess.Popen[bytes]:
        """Begin an import."""
        words = ["import-log", *map(str, logs), "--data", str(self.data), "--config", str(self._config)]
        with self.said.open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "collector", *words],
                cwd=ROOT,
                env=os.environ | engine_environ(self.data) | {"TMPDIR": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
            )

    def kill(self, logs: list[Path], when: str) -> bool:
        """Import, and SIGKILL that as soon as there is such a file in DATA; whether it still ran then."""
        process = self.begin(logs)
        while process.poll() is None:
            if any(self.data.glob(when)):
                process.kill()
                break
            time.sleep(LOOK_EVERY_S)
        return process.wait() == -signal.SIGKILL


@needs_embedded
def test_without_a_collector_it_is_the_same_and_crowds_are_crowds(
    start_stack: Callable[..., Stack], imported: Imported, tmp_path: Path
) -> None:
    alone = Alone(tmp_path / "stack0")
    assert alone.begin(imported.logs).wait() == 0, alone.said.read_text()
    assert alone.said.read_text() == imported.said  # the same node, too
    with open_embedded(alone.data / "clickhouse") as engine:
        client = engine.writer()
        assert named_under_k(client) == 0
        assert client.query("SELECT sum(events) FROM sealed WHERE report = 'pages'").result_rows == [(22_000,)]
        assert client.query("SELECT count() FROM hot").result_rows == [(0,)]
        client.close()
    stack = start_stack(config=CONFIG)
    answers = [asked(each, "pages", by="path", interval="day") for each in (stack, imported.stack)]
    assert answers[0] == answers[1]


# --- killed, and searched ---------------------------------------------------------------------------------------------

READING = ("imports/*/*0.cells", "imports/*/*1.cells")
SEALING = ("imports/*/counted", "sealing/*.batches")


@pytest.mark.parametrize(
    "moments",
    [(READING[0], SEALING[1]), pytest.param((*READING, *SEALING), marks=pytest.mark.slow)],
    ids=["two moments", "four moments"],
)
def test_killed_while_it_reads_and_seals_it_is_exact_and_no_address_ever_touches_the_disk(
    start_stack: Callable[..., Stack], tmp_path: Path, moments: tuple[str, ...]
) -> None:
    canaries = Canaries()
    made = visits(FIRST, 2, 11_000 if len(moments) == 2 else 22_000)
    agent, path = canaries.words.user_agent, f"/?{canaries.words.query}"
    for address, place in ((ADDRESS, 10), (OTHER_ADDRESS, 20_001), (ADDRESS_6, -1)):
        made[place] = replace(made[place], address=address, agent=agent, path=path)
    (tmp_path / "logs").mkdir()
    logs = rotated(tmp_path / "logs", made, 2)
    sought = {ADDRESS, OTHER_ADDRESS, ADDRESS_6, "agent", "query"}
    assert {hit.what for hit in scan_files("logs", [tmp_path / "logs"], canaries).hits} >= sought

    alone = Alone(tmp_path / "stack0")
    for moment in moments:
        assert alone.kill(logs, moment), alone.said.read_text()
        assert not scan_files("killed", [alone.folder], canaries).hits
    assert alone.begin(logs).wait() == 0, alone.said.read_text()
    assert not scan_files("ended", [alone.folder], canaries).hits
    paths = per_path(made)
    paths["/"] = paths.pop(path)
    assert {row[0]: row[1] for row in asked(start_stack(config=CONFIG), "pages", by="path")} == paths

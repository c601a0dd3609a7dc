"""`collector migrate`: what it sends, and that what it grants is enough for each, and no more, on the real engine."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from collector.catalogue.declarations import read_declarations
from collector.errors import Misconfigured
from collector.warehouse.access import PASSWORDS, Statement, access_statements
from collector.warehouse.embedded import Embedded
from collector.warehouse.reading import Reading
from collector.warehouse.server import Server
from collector.warehouse.tables import Place
from collector.warehouse.writing import Writing
from tests.clickhouse_access import write_config
from tests.clickhouse_http import ClickHouseHttp
from tests.memory_reading import SITE, SteppedClock
from tests.sealing import DAY_S, DUE_S, FIRST_DAY, Desk, Node, hits, hot_days, sealed_rows
from tests.stack import ROOT, Stack
from tests.storing import batch_of, open_with_tables, pages

REPORTS = read_declarations().reports
GOLDEN = Path(__file__).parent / "data" / "schemas"
SHOWN = ("traffic", "pages", "campaigns")  # of the views; whoever declares a report writes no golden file
SECRET = "correct horse battery"
FIXED, DENIED = 452, 497
PLACES = {"server": Place(database="counts"), "cluster": Place(database="counts", cluster="main")}


def migrate(url: str | None, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "collector", "migrate", *words],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **({"COLLECTOR_CLICKHOUSE": url} if url else {}), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def of_place(place: Place, environ: dict[str, str] | None = None) -> list[Statement]:
    return list(access_statements(REPORTS.values(), place, environ or {}))


# --- what is sent -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dry_runs() -> dict[str, subprocess.CompletedProcess[str]]:
    nowhere = f"http://u:{SECRET.replace(' ', '')}@127.0.0.1:1/counts"
    words = {"server": ("--dry-run",), "cluster": ("--dry-run", "--cluster", "main")}
    return {where: migrate(nowhere, *words[where], **{PASSWORDS["analyst"]: SECRET}) for where in PLACES}


@pytest.mark.parametrize("where", PLACES)
def test_a_dry_run_prints_every_statement_sends_none_and_shows_no_password(
    dry_runs: dict[str, subprocess.CompletedProcess[str]], where: str
) -> None:
    told = dry_runs[where]
    assert told.returncode == 0, told.stderr
    for secret in (SECRET, SECRET.replace(" ", "")):
        assert secret not in told.stdout + told.stderr
    assert sum(each.startswith("CREATE OR REPLACE VIEW") for each in told.stdout.split(";\n\n")) == len(REPORTS)
    assert without_most_views(told.stdout) == (GOLDEN / f"migrate-{where}.sql").read_text()


def without_most_views(told: str) -> str:
    """The statements but for views of most reports, and what of them is granted."""
    views = rf"CREATE OR REPLACE VIEW `counts`\.(?!({'|'.join(SHOWN)})\b)[^;]+;\n\n"
    granted = r"SELECT ON `counts`\.\w+(, SELECT ON `counts`\.\w+)+(?= TO collector_analyse)"
    return re.sub(granted, "...", re.sub(views, "", told))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with open_with_tables(tmp_path_factory.mktemp("parsing") / "engine") as engine:
        yield engine


def test_every_statement_is_one_that_clickhouse_can_read(
    engine: Embedded, dry_runs: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    client = engine.writer()

    def is_read(statement: str) -> bool:
        try:
            client.query("SELECT formatQuery({text:String})", parameters={"text": statement})
        except Error as error:
            return "SYNTAX_ERROR" not in str(error)
        return True

    for where, place in PLACES.items():
        sent = [each.sent for each in of_place(place, dict.fromkeys(PASSWORDS.values(), SECRET))]
        assert not [each for each in sent if "(hash" in each or SECRET in each]
        for statement in [*filter(None, dry_runs[where].stdout.split(";\n\n")), *sent]:
            assert is_read(statement), statement
    assert not is_read("CREATE ROLE IF NOT EXISTS x ON CLUSTER")
    assert not is_read("GRANT SELECTION ON x.* TO y")
    assert not is_read("CREATE SETTINGS PROFILE OR REPLACE x SETTINGS readonly = 1 CONSTANT TO y")


def test_a_password_is_sent_as_a_salted_hash_that_clickhouse_finds_right(engine: Embedded) -> None:
    (analyst,) = (
        each for each in of_place(PLACES["server"], {PASSWORDS["analyst"]: SECRET}) if "ALTER U" in each.shown
    )
    digest, salt = analyst.secrets.values()
    question = "SELECT hex(SHA256(concat({password:String}, {salt:String})))"
    assert engine.writer().command(question, parameters={"password": SECRET, "salt": salt}) == digest
    with pytest.raises(Misconfigured, match=r"CLICKHOUSE_ANALYST_PASSWORD: must have at least 12 characters"):
        of_place(PLACES["server"], {PASSWORDS["analyst"]: "too short"})


def test_without_passwords_nobody_can_be_any_of_the_users() -> None:
    users = [each.shown for each in of_place(PLACES["server"]) if "IDENTIFIED" in each.shown]
    assert len(users) == 4
    assert all(each.startswith("CREATE USER IF NOT EXISTS ") and each.endswith(" HOST NONE") for each in users)


@pytest.mark.parametrize(
    ("url", "words", "told"),
    [
        (None, (), "migrate is for a ClickHouse server (COLLECTOR_CLICKHOUSE)"),
        ("http://127.0.0.1:1/counts", ("--cluster", "a` b"), "--cluster: 1 to 64 letters, digits"),
        ("http://127.0.0.1:1/counts", (), "(ConnectionRefusedError). What was done stays, and may be repeated."),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(url: str | None, words: tuple[str, ...], told: str) -> None:
    said = migrate(url, *words)
    assert said.returncode == 1
    assert told in said.stderr
    assert "Traceback" not in said.stderr


# --- what is granted, tried out ---------------------------------------------------------------------------------------


class Granted:
    """A server that `collector migrate` made ready, where some days were sealed; acted in with one role's rights."""

    def __init__(self, folder: Path) -> None:
        self._config = folder / "config.xml"
        self._statements = [each.shown for each in of_place(PLACES["server"])]
        write_config(self._config, self._statements)
        self.harness = ClickHouseHttp(folder / "server", config=self._config)
        self.url = self.harness.url()
        self.told = [migrate(self.url), migrate(self.url, **dict.fromkeys(PASSWORDS.values(), SECRET))]
        self.clock = SteppedClock(FIRST_DAY * DAY_S)
        with closing(Server(self.url)) as server:
            self.node = Node(server, folder / "data", self.clock)
            for day in range(FIRST_DAY, FIRST_DAY + 2):
                self.node.place.write(hits(day, 14) + hits(day, 3, country="FR", path="/pricing", hour=20))
            self.clock.at = (FIRST_DAY + 1) * DAY_S + DUE_S
            self.node.work()

    def act(self, role: str) -> Server:
        """Everybody has this role's rights from now on."""
        write_config(self._config, self._statements, role)
        self.harness.restart()
        return Server(self.url)


@pytest.fixture(scope="module")
def granted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Granted]:
    granted = Granted(tmp_path_factory.mktemp("granted"))
    yield granted
    granted.harness.stop()


def refusal(client: Client, statement: str) -> int:
    """ClickHouse's number for why it does not do that, 0 if it does."""
    try:
        client.command(statement)
    except Error as error:
        return error.code or -1
    return 0


def test_a_server_is_made_ready_and_may_be_made_ready_again(granted: Granted) -> None:
    first, again = granted.told
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert "Tables: made, of version 3." in first.stdout
    assert "Not set, and left as they were: CLICKHOUSE_WRITER_PASSWORD" in first.stdout
    assert "Tables: version 3 became version 3." in again.stdout
    assert "Not set" not in again.stdout
    assert SECRET not in again.stdout + again.stderr


def test_an_analyst_is_told_by_views_what_the_api_tells_and_no_more_and_a_reader_only_reads(granted: Granted) -> None:
    first = (FIRST_DAY, "intDiv(toUnixTimestamp(toDateTime(day, 'UTC')), 86400)")
    with closing(granted.act("collector_analyse")) as server:
        client = server.reader()
        told = {
            report: client.query(f"SELECT {by}, events FROM {report} WHERE {first[1]} = {first[0]}").result_rows
            for report, by in (("countries", "country"), ("pages", "path"))
        }
        two_days = f"toUnixTimestamp(hour) < {(FIRST_DAY + 2) * DAY_S}"
        hours = client.query(f"SELECT sum(events), sum(amount) FROM traffic WHERE {two_days}").result_rows
        columns = {name: [row[0] for row in client.query(f"DESCRIBE {name}").result_rows] for name in REPORTS}
        for statement in ("SELECT 1 FROM sealed", "SELECT count() FROM hot", "SELECT networks FROM sealed"):
            assert refusal(client, statement) == DENIED
        assert refusal(client, "CREATE TABLE x (a Int8) ENGINE = Log") == DENIED
        assert refusal(client, "SELECT 1 SETTINGS max_execution_time = 60") == 0
        assert refusal(client, "SELECT 1 SETTINGS max_execution_time = 0") == FIXED
        assert refusal(client, "SELECT 1 SETTINGS max_execution_time = 61") == FIXED
        assert refusal(client, "SELECT 1 SETTINGS max_memory_usage = 0") == FIXED
        assert refusal(client, "SELECT 1 SETTINGS readonly = 0") != 0
    with closing(granted.act("collector_read")) as server:
        desk = Desk(server, SteppedClock((FIRST_DAY + 4) * DAY_S))
        for report, found in told.items():
            answer = desk.ask(report, FIRST_DAY, FIRST_DAY)
            place = answer.columns.index("events")
            assert sorted(map(tuple, found)) == sorted((row[0], row[place]) for row in answer.rows)
            assert sum(events for _, events in found) == 17
        assert Reading(server).bounds(SITE, FIRST_DAY, FIRST_DAY)
        client = server.reader()
        assert refusal(client, "DROP TABLE hot") == DENIED
        assert refusal(client, "ALTER TABLE hot DROP PARTITION ID 'x'") == DENIED
    assert hours == [(34, 34)]
    for name, of in REPORTS.items():
        assert columns[name] == ["property", of.grain, *of.by, *of.measures]


def test_a_collector_may_do_all_it_does_and_nothing_else(
    granted: Granted, start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    with closing(granted.act("collector_write")) as server:
        writing = Writing(server)
        batch = batch_of(tmp_path, 7, pages(3))
        assert writing.insert_once(batch)
        assert not writing.insert_once(batch)
        writing.look_at_merges(at_once=True)
        client = server.writer()
        client.command("DETACH TABLE hot SYNC")  # as after a broken merge
        client.command("ATTACH TABLE hot")
        clock = SteppedClock((FIRST_DAY + 30) * DAY_S)
        node = Node(server, tmp_path / "data", clock)
        node.place.write(hits(FIRST_DAY + 30, 12))
        clock.at += DUE_S
        node.work()
        clock.at += 700
        node.work()
        assert node.metrics.failures == 0
        assert sealed_rows(client, node.place.node)
        assert not hot_days(client, node.place.node)
        for statement in ("DROP DATABASE counts", "CREATE TABLE other (a Int8) ENGINE = Log", "SELECT 1 FROM pages"):
            assert refusal(client, statement) == DENIED
    stack = start_stack(environ={"COLLECTOR_CLICKHOUSE": granted.url})
    site = "www.example.org"
    assert stack.post([{"kind": "page_hit", "site": site, "url": f"https://{site}/"}] * 30).status == 200
    stack.wait_loaded(30)
    assert stack.ask("traffic", property=site)["totals"]["events"] == 30
    stack.stop()

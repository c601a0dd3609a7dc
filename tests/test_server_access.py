"""Who may do what at a server, what an address may be, and where a password never is."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from clickhouse_connect.driver.exceptions import Error

from collector.errors import Misconfigured, Unavailable
from collector.warehouse.reading import Reading
from collector.warehouse.server import Server
from collector.warehouse.writing import Writing
from tests.clickhouse_http import PASSWORD, ClickHouseHttp
from tests.stack import ROOT
from tests.storing import DAY

READER = "reader"


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseHttp]:
    users = {READER: {"password": "r", "settings": {"readonly": "1"}}}
    harness = ClickHouseHttp(tmp_path_factory.mktemp("server"), users=users)
    yield harness
    harness.stop()


@pytest.fixture
def server(harness: ClickHouseHttp) -> Iterator[Server]:
    with closing(Server(harness.url())) as server:
        yield server


def test_questions_to_a_database_that_is_not_made_yet_are_unavailable(harness: ClickHouseHttp) -> None:
    with closing(Server(harness.url("not_made_yet"))) as server, pytest.raises(Unavailable):
        Reading(server).bounds("nobody", DAY, DAY)


def test_a_user_that_may_only_read_can_be_asked_and_cannot_write(harness: ClickHouseHttp, server: Server) -> None:
    Writing(server).connect()
    with closing(Server(harness.url(user=READER))) as reading:
        assert Reading(reading).bounds("nobody", DAY, DAY) == []
        with pytest.raises((Misconfigured, Unavailable)):
            Writing(reading).connect()


def test_a_reader_cannot_write(server: Server) -> None:
    Writing(server).connect()
    client = server.reader()
    for statement in ("DROP TABLE hot", "INSERT INTO hot (node) VALUES (1)", "SET readonly = 0"):
        with pytest.raises(Error) as caught:
            client.command(statement)
        assert caught.value.code == 164


@pytest.mark.parametrize(
    "url",
    [
        "db.example.org:8123",
        "tcp://u:s3cret@db.example.org:9000/x",
        "http://u:s3cret@/x",
        "http://u:s3/cret@db.example.org:8123/x",
        "http://u:s3cret@db.example.org:s3cret/x",
        "http://u:s3cret@db.example.org:8123/x/y",
        "http://u:s3cret@db.example.org:8123/x?password=s3cret",
        "http://u:s3cret@db.example.org:8123/x#s3cret",
        "http://u%3As3cret:p@db.example.org:8123/x",
        "http://u:s3cret@[db.example.org:8123/x",
    ],
)
def test_an_address_that_is_none_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        Server(url)
    assert str(caught.value).startswith("clickhouse: must be http(s)://USER:PASSWORD@HOST:PORT/DATABASE")
    assert "s3" not in str(caught.value)


def test_a_password_is_in_no_log_line_and_no_exception(
    harness: ClickHouseHttp, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = []
    wrong = harness.url().replace(quote(PASSWORD, safe=""), "wr0ngs3cret")
    for url in (wrong, harness.url().replace(harness.address, "127.0.0.1:1"), harness.url()):
        server = Server(url)
        told += [repr(server), str(vars(server).keys())]
        for attempt in (Writing(server).connect, lambda server=server: Reading(server).bounds("nobody", 1, 1)):
            harness.inject("error", match="system.settings", code=202)
            try:
                attempt()
            except Unavailable as error:
                chain: BaseException | None = error
                while chain is not None:
                    told += [str(chain), repr(chain)]
                    chain = chain.__cause__ or chain.__context__
            harness.heal()
        server.close()
    said = "\n".join([*told, *(record.getMessage() for record in caplog.records)])
    assert "AUTHENTICATION_FAILED" in said  # the look went deep enough
    for secret in ("wr0ngs3cret", PASSWORD, quote(PASSWORD), quote(PASSWORD, safe="")):
        assert secret not in said


def test_a_wrong_address_is_told_before_anything_starts_and_not_shown(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "collector", "serve", "--data", str(tmp_path / "data")],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COLLECTOR_CLICKHOUSE": "http://u:s3cret@h:8123/a/b"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.startswith("Error: clickhouse: must be http(s)://USER:PASSWORD@HOST:PORT/DATABASE")
    assert "s3cret" not in run.stderr
    assert not (tmp_path / "data").exists()


WITHOUT_CHDB = """
import sys
sys.modules["chdb"] = None  # importing it fails
from collector.catalogue.declarations import read_declarations
from collector.cli import collector
from collector.warehouse.reading import Reading
from collector.warehouse.server import Server
from collector.warehouse.writing import Writing
server = Server(sys.argv[1])
Writing(server).connect()
print(Reading(server).bounds("nobody", 1, 1))
server.close()
"""


def test_in_front_of_a_server_the_embedded_engine_is_never_imported(harness: ClickHouseHttp) -> None:
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_CHDB, harness.url()], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout == "[]\n"

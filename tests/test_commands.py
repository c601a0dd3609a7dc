"""What an operator types: the commands, their help, and what they say when something is wrong."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import orjson
import pytest

from collector.cli import collector as command_line
from tests.stack import ROOT, TOKEN, Stack

HIT = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/pricing"}
NO_ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


def _collector(*words: object, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "collector", *map(str, words)],
        cwd=ROOT,
        env=NO_ENVIRONMENT | (environ or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running collector that has counted 1,200 hits from 12 networks."""
    config = 'trusted_proxies = ["127.0.0.0/8"]\n[[site]]\nid = "www.example.org"\nhosts = ["www.example.org"]\n'
    stack = Stack(tmp_path_factory.mktemp("counted"), config=config + 'routes = ["/**"]\n')
    for network in range(12):
        assert stack.post([HIT] * 100, {"X-Forwarded-For": f"198.51.{network}.1"}).status == 200
    stack.wait_loaded(1200)
    yield stack
    stack.sweep()


def test_query_shows_a_table_with_thousands_and_totals(counted: Stack) -> None:
    told = _collector("query", "pages", "--property", "www.example.org", "--by", "path", "--data", counted.data)
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert lines[0].startswith("pages of www.example.org, 20")
    assert lines[2].split()[:2] == ["path", "events"]
    assert [line.split()[:2] for line in lines if "/pricing" in line] == [["/pricing", "1,200"]]
    assert [line.split()[:2] for line in lines if line.startswith("total")] == [["total", "1,200"]]


def test_query_gives_the_api_s_json_and_csv(counted: Stack) -> None:
    question = ("query", "pages", "--property", "www.example.org", "--by", "path", "--data", counted.data)
    answer = orjson.loads(_collector(*question, "--format", "json").stdout)
    rows = list(csv.reader(io.StringIO(_collector(*question, "--format", "csv").stdout)))
    assert answer["totals"]["events"] == 1200
    assert rows[0] == answer["columns"]
    assert rows[1][:2] == ["/pricing", "1200"]


def test_query_takes_the_token_of_the_environment_and_another_address(counted: Stack, tmp_path: Path) -> None:
    question = ("query", "traffic", "--property", "www.example.org", "--data", tmp_path, "--analyst", counted.analyst)
    assert "1,200" in _collector(*question, environ={"COLLECTOR_ANALYST_TOKEN": TOKEN}).stdout
    refused = _collector(*question, environ={"COLLECTOR_ANALYST_TOKEN": "x" * 40})
    assert (refused.returncode, refused.stderr) == (1, "Error: the token is not accepted there\n")
    assert "set COLLECTOR_ANALYST_TOKEN" in _collector(*question).stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("traffics", "--property", "www.example.org"), "report: "),
        (("traffic", "--property", "nobody.example"), "property: "),
        (("traffic", "--property", "www.example.org", "--from", "yesterday"), "from: "),
        (("traffic", "--property", "www.example.org", "--by", "mood"), "by: "),
        (("countries", "--property", "www.example.org", "--interval", "hour"), "interval: "),
    ],
)
def test_a_bad_question_is_told_by_parameter_and_rule(counted: Stack, words: tuple[str, ...], told: str) -> None:
    asked = _collector("query", *words, "--data", counted.data)
    assert asked.returncode == 1
    assert asked.stderr.startswith(f"Error: {told}")


def test_a_created_token_works_at_once_and_is_kept_nowhere(counted: Stack) -> None:
    made = _collector("token", "create", "dashboard", "--data", counted.data)
    token = made.stdout.strip()
    assert counted.analyst_request("/api/v1/reports", token).status == 200
    assert counted.analyst_request("/api/v1/reports", f"{token[:-1]}x").status == 401
    assert token not in (counted.data / "tokens.json").read_text()
    again = _collector("token", "create", "dashboard", "--data", counted.data)
    assert again.returncode == 1
    assert "there is a token of that name already" in again.stderr


def test_a_question_is_answered_while_no_server_runs(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack(environ={"COLLECTOR_SEGMENT_S": "60"})
    stack.post([HIT] * 30)
    stack.stop()
    told = _collector("query", "traffic", "--property", "www.example.org", "--format", "json", "--data", stack.data)
    assert told.returncode == 0, told.stderr
    assert orjson.loads(told.stdout)["totals"]["events"] == 30
    stack.start()
    assert stack.ask("traffic", property="www.example.org")["totals"]["events"] == 30
    stack.stop()


def test_without_server_and_data_it_says_how_to_start(tmp_path: Path) -> None:
    told = _collector(
        *("query", "traffic", "--property", "www.example.org", "--data", tmp_path / "none", "--analyst", "127.0.0.1:1"),
        environ={"COLLECTOR_ANALYST_TOKEN": TOKEN},
    )
    assert told.returncode == 1
    assert told.stderr == (
        "Error: no answer at 127.0.0.1:1: ConnectionRefusedError."
        " Is the collector running? Start it with: collector serve\n"
    )
    assert not (tmp_path / "none").exists()


def test_check_says_what_it_checked() -> None:
    told = _collector("check")
    assert told.returncode == 0, told.stderr
    assert "fine (kinds: 10, dimensions: " in told.stdout
    assert "the built-in example" in told.stdout
    assert "fine (sites: 1, products: 1, " in told.stdout


def test_check_names_what_is_wrong_with_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[[site]]\nid = "a.example"\n')
    told = _collector("check", "--config", path)
    assert told.returncode == 1
    assert "mine.toml: site[0]" in told.stderr


def _commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from _commands(inner, (*words, name))


def test_every_command_and_every_option_is_explained() -> None:
    for words, command in _commands(command_line):
        assert command.help, words
        for parameter in command.params:
            assert not isinstance(parameter, click.Option) or parameter.help, (words, parameter.name)


def test_every_documented_variable_stands_in_the_help() -> None:
    shown = _collector("serve", "--help").stdout
    for name in ("CONFIG", "DATA", "PUBLIC", "ANALYST", "WORKERS", "SEGMENT_S", "LIVE_FOLD_S", "GEOIP_DB", "LOG_LEVEL"):
        assert f"COLLECTOR_{name}" in shown
    assert "COLLECTOR_ANALYST_TOKEN" in shown

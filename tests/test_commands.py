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

from collector.catalogue.declarations import read_declarations
from collector.cli import collector as command_line
from collector.tools.table import NOTHING_YET, render
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


def test_query_asks_whatever_the_api_can_be_asked(counted: Stack) -> None:
    words = ("--property", "www.example.org", "--by", "path", "--period", "2d", "--filter", "path~/pri", "--filter")
    more = ("path!=/x", "--sort", "path", "--limit", "5", "--offset", "0", "--compare", "year", "--data", counted.data)
    asked = orjson.loads(_collector("query", "pages", *words, *more, "--format", "json").stdout)
    assert [each["op"] for each in asked["question"]["filters"]] == ["~", "!="]
    assert (asked["question"]["sort"], asked["question"]["compare"]) == ("path", "year")
    assert [row[0] for row in asked["rows"]] == ["/pricing"]
    lines = _collector("query", "pages", *words, *more).stdout.splitlines()
    assert f"{asked['earlier']['from']} to {asked['earlier']['to']}, in total: events 0" in lines


def test_a_question_that_is_no_text_is_refused_in_a_sentence(counted: Stack) -> None:
    words = ("--property", "www.example.org", "--filter", "path==/\udcff", "--data", counted.data)
    asked = _collector("query", "pages", *words)
    assert (asked.returncode, asked.stderr) == (1, "Error: a question is written in UTF-8\n")


def test_query_takes_the_token_of_the_environment_and_another_address(counted: Stack, tmp_path: Path) -> None:
    question = ("query", "traffic", "--property", "www.example.org", "--data", tmp_path, "--analyst", counted.analyst)
    assert "1,200" in _collector(*question, environ={"COLLECTOR_ANALYST_TOKEN": TOKEN}).stdout
    refused = _collector(*question, environ={"COLLECTOR_ANALYST_TOKEN": "x" * 40})
    assert refused.returncode == 1
    assert refused.stderr == f"Error: the token in COLLECTOR_ANALYST_TOKEN is not accepted at {counted.analyst}\n"
    (tmp_path / "operator.token").write_text("y" * 40)
    assert f"the token in {tmp_path / 'operator.token'} is not accepted" in _collector(*question).stderr
    (tmp_path / "operator.token").unlink()
    assert "set COLLECTOR_ANALYST_TOKEN" in _collector(*question).stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("traffics", "--property", "www.example.org"), "report: must be one of: traffic, pages, "),
        (("traffic", "--property", "nobody.example"), "property: must be the id of a registered site or product"),
        (("traffic", "--property", "www.example.org", "--from", "yesterday"), "from: must be a UTC date"),
        (("traffic", "--property", "www.example.org", "--by", "mood"), "by: must be left out"),
        (("pages", "--property", "www.example.org", "--period", "8x"), "period: must be one of: today, yesterday, Nd"),
        (
            ("pages", "--property", "www.example.org", "--filter", "path"),
            "filter: must begin with a dimension",
        ),
        (("pages", "--property", "www.example.org", "--by", "country"), "by: must name dimensions of pages, each at"),
        (
            ("countries", "--property", "www.example.org", "--interval", "hour"),
            "interval: must be one of: day, week, month",
        ),
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
    words = ("--property", "www.example.org", "--period", "2d", "--filter", "path==(other)", "--filter", "path!=/")
    told = stack.command("query", "pages", *words, "--format", "json")
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
        "Error: no answer at 127.0.0.1:1 (connection refused)."
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
    assert told.stderr == f"Error: {path}: site[0]: the key hosts is missing\n"


def test_check_lists_every_problem_of_a_configuration_on_a_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('workers = 0\ntrusted_proxy = []\n[[site]]\nid = "A"\nhosts = ["a.example"]\npublic = "a:1"\n')
    told = _collector("check", "--config", path)
    assert told.returncode == 1
    first, *problems = told.stderr.splitlines()
    assert first == f"Error: {path}: 4 problems"
    assert sorted(line.strip().partition(". What is wanted: ")[0] for line in problems) == [
        'site[0].id: "A" does not fit',
        "site[0]: unknown key public (a top-level key: it must stand before the first table)",
        "top level: unknown key trusted_proxy",
        "workers: 0 is less than the minimum of 1",
    ]


def test_check_opens_the_country_database(tmp_path: Path) -> None:
    (tmp_path / "geo.mmdb").write_bytes(b"no database")
    told = _collector("check", environ={"COLLECTOR_GEOIP_DB": str(tmp_path / "geo.mmdb")})
    assert told.returncode == 1
    assert "geo.mmdb" in told.stderr


def test_check_warns_of_a_configuration_that_counts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("workers = 1\n")
    told = _collector("check", "--config", path)
    assert told.returncode == 0
    assert "refuses every event" in told.stderr


def test_reports_are_listed_with_their_dimensions_and_questions_without_a_server() -> None:
    told = _collector("reports")
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    declared = read_declarations().reports
    assert lines[0].split() == ["report", "by", "question"]
    assert [line.split()[0] for line in lines[1:]] == list(declared)
    for line, report in zip(lines[1:], declared.values(), strict=True):
        assert line.index(report.question) == lines[0].index("question")
        assert line.split()[1] == (",".join(report.by) or "–")  # noqa: RUF001 - an en dash is no value
    assert "`collector reports` lists the reports" in _collector("query", "--help").stdout


def test_the_help_cuts_no_sentence() -> None:
    for words in ((), ("token",)):
        assert "..." not in _collector(*words, "--help").stdout.partition("Commands:")[2]


ANSWER = {
    "report": "pages",
    "property": "www.example.org",
    "from": "2026-11-22",
    "to": "2026-11-22",
    "as_of": "2026-11-22T12:00:00Z",
    "columns": ["path", "events"],
    "rows": [["/", 1200]],
    "totals": {"events": 1200, "visitors": None},
    "notes": ["Rows and totals are as of 2026-11-22T12:00:00Z."],
}


def test_a_table_says_once_as_of_when_it_is_and_no_total_that_nobody_knows() -> None:
    assert render(ANSWER).count("as of") == 1
    assert "in total also" not in render(ANSWER)
    assert "in total also: visitors 7\n" in render(ANSWER | {"totals": {"events": 1200, "visitors": 7}})


def test_a_table_without_rows_says_when_events_appear() -> None:
    lines = render(ANSWER | {"rows": [], "totals": {"events": 0, "visitors": None}, "notes": []}).splitlines()
    assert lines == ["pages of www.example.org, 2026-11-22 to 2026-11-22", "", NOTHING_YET, "in total: events 0"]


def _commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            assert inner.name == name
            yield from _commands(inner, (*words, name))


def test_commands_are_listed_completed_and_suggested_without_being_imported() -> None:
    asked = """
import sys
from click.testing import CliRunner
from collector.cli import collector
print(CliRunner().invoke(collector, ["--help"]).output)
print(CliRunner().invoke(collector, ["servr"]).output)
typed = {"_COLLECTOR_COMPLETE": "bash_complete", "COMP_WORDS": "collector se", "COMP_CWORD": "1"}
print(CliRunner().invoke(collector, [], env=typed, prog_name="collector").output)
print([name for name in sys.modules if name.startswith("collector.commands.")])
"""
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert "  serve       Receive events and answer questions.\n" in told
    assert "Did you mean one of: 'serve'" in told
    assert "plain,seal\nplain,serve\n" in told
    assert told.splitlines()[-1] == "['collector.commands.common']"


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

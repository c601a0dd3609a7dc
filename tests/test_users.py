"""`collector user` and `collector token` beside a running collector, and what its start says about signing in."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click.testing
import orjson
import pytest

from collector.cli import collector as command_line
from tests.calling import Reply, call
from tests.front_desk import PASSWORD, SESSION
from tests.stack import Stack

LINK = re.compile(r"http://(\S+)/#code=([A-Za-z0-9_-]{43})(?=\s)")
SITE = "www.example.org"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A collector that was just started for the first time."""
    stack = Stack(tmp_path_factory.mktemp("running"))
    yield stack
    stack.sweep()


def run(data: Path, *words: str, told: str = "") -> click.testing.Result:
    """A command on the data of a collector, as if in a process of its own."""
    environ = {"COLLECTOR_ANALYST_TOKEN": None, "COLLECTOR_CONFIG": None}
    return click.testing.CliRunner().invoke(command_line, [*words, "--data", str(data)], input=told, env=environ)


def add(data: Path, name: str, *options: str, password: str = PASSWORD) -> click.testing.Result:
    return run(data, "user", "add", name, *options, "--password-stdin", told=f"{password}\n")


def sign_in(stack: Stack, **given: str) -> Reply:
    return call(stack.analyst, "POST", SESSION, orjson.dumps(given), {"Content-Type": "application/json"})


def cookie_of(stack: Stack, **given: str) -> str:
    reply = sign_in(stack, **given)
    assert reply.status == 204, reply
    return reply.headers["set-cookie"].partition(";")[0]


def who(stack: Stack, cookie: str) -> tuple[int, Any]:
    reply = call(stack.analyst, "GET", SESSION, None, {"Cookie": cookie})
    return reply.status, reply.json


def test_the_first_start_prints_a_link_that_signs_an_admin_in_once_and_later_ones_how_to_have_one(
    running: Stack,
) -> None:
    (address, first), *others = LINK.findall(running.log_text)
    assert (address, others) == (running.analyst, [])
    running.restart()  # nobody used it: there is another one, and this one is worth nothing
    code = LINK.findall(running.log_text)[-1][1]
    assert sign_in(running, code=first).status == 401
    cookie = cookie_of(running, code=code)
    assert who(running, cookie)[1]["role"] == "admin"
    assert sign_in(running, code=code).status == 401
    told_before = len(running.log_text)
    running.restart()
    assert who(running, cookie)[0] == 200
    assert not LINK.search(running.log_text, told_before)
    assert "user link" in running.log_text[told_before:]
    kept = b"".join(path.read_bytes() for path in running.data.glob("*.json"))
    assert code.encode() not in kept
    assert cookie.partition("=")[2].encode() not in kept


def test_who_is_added_signs_in_and_stays_in_over_a_reload(running: Stack) -> None:
    assert add(running.data, "vera", "--role", "viewer", "--property", SITE).exit_code == 0
    cookie = cookie_of(running, name="vera", password=PASSWORD)
    running.reload()
    status, told = who(running, cookie)
    assert status == 200
    assert (told["name"], told["role"], told["properties"]) == ("vera", "viewer", [SITE])
    asked = call(running.analyst, "GET", "/api/v1/reports/traffic?property=player", None, {"Cookie": cookie})
    assert asked.status == 400


def test_who_is_removed_is_out_at_once_and_comes_back_without_what_was_before(running: Stack) -> None:
    for way_out in (("user", "remove", "anna"), ("user", "password", "anna", "--password-stdin")):
        add(running.data, "anna", "--role", "analyst")
        cookie = cookie_of(running, name="anna", password=PASSWORD)
        link = LINK.search(run(running.data, "user", "link", "anna").output)
        assert link
        assert run(running.data, *way_out, told="another password\n").exit_code == 0
        assert who(running, cookie)[0] == 401
        add(running.data, "anna", "--role", "analyst")
        assert who(running, cookie)[0] == 401
        assert sign_in(running, code=link[2]).status == 401
    assert sign_in(running, name="anna", password=PASSWORD).status == 401
    assert sign_in(running, name="anna", password="another password").status == 204


def test_a_link_of_the_command_leads_to_the_collector_that_runs(running: Stack) -> None:
    add(running.data, "lena", "--role", "analyst")
    for name, words in (("lena", ("lena",)), ("operator", ())):
        link = LINK.search(run(running.data, "user", "link", *words).output)
        assert link
        assert link[1] == running.analyst
        cookie = cookie_of(running, code=link[2])
        assert who(running, cookie)[1]["name"] == name
        assert run(running.data, "user", "remove", name).exit_code == 0
        assert who(running, cookie)[0] == 401


def test_a_token_of_one_property_reads_that_one_until_it_is_revoked(running: Stack) -> None:
    made = run(running.data, "token", "create", "partner", "--property", SITE, "--days", "30")
    token = made.stdout.strip()
    asked = "/api/v1/reports/traffic?property="
    assert running.analyst_request(f"{asked}{SITE}", token).status == 200
    assert running.analyst_request(f"{asked}player", token).status == 400
    listed = run(running.data, "token", "list").output
    assert re.fullmatch(rf"partner  {re.escape(SITE)}  since \S{{10}} until \S{{10}} \S{{5}}Z", listed.strip())
    assert run(running.data, "token", "revoke", "partner").exit_code == 0
    assert running.analyst_request(f"{asked}{SITE}", token).status == 401
    assert run(running.data, "token", "list").output == ""


def test_a_password_is_asked_for_twice_and_shown_never(tmp_path: Path) -> None:
    asked = run(tmp_path, "user", "add", "ada", "--role", "admin", told=f"{PASSWORD}\nother\n{PASSWORD}\n{PASSWORD}\n")
    assert asked.exit_code == 0, asked.output
    assert PASSWORD not in asked.output
    kept = (tmp_path / "users.json").read_bytes()
    (entry,) = orjson.loads(kept)
    assert entry.keys() == {"name", "role", "properties", "password", "created"}
    assert entry["password"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert PASSWORD.encode() not in kept
    assert stat.S_IMODE((tmp_path / "users.json").stat().st_mode) == 0o600
    assert run(tmp_path, "user", "list").output == f"ada  admin  every property  since {entry['created']}\n"


@pytest.mark.parametrize(
    ("name", "options", "password", "told"),
    [
        ("anna", ("--role", "analyst"), "eleven char", "a password has 12 to 1024 characters"),
        ("anna", ("--role", "analyst"), "", "a password has 12 to 1024 characters"),
        ("anna", ("--role", "analyst"), "x" * 1025, "a password has 12 to 1024 characters"),
        ("two words", ("--role", "analyst"), PASSWORD, "the name of a user is 1 to 64 letters"),
        ("operator", ("--role", "admin"), PASSWORD, "operator is whoever starts the collector"),
        ("vera", ("--role", "viewer"), PASSWORD, "a viewer needs at least one --property"),
        ("anna", ("--role", "analyst", "--property", SITE), PASSWORD, "a viewer needs at least one --property"),
        ("vera", ("--role", "viewer", "--property", "x.example"), PASSWORD, "must be the id of a registered site"),
        ("taken", ("--role", "analyst"), PASSWORD, "there is a user of that name already"),
    ],
)
def test_who_cannot_be_added_is_told_why(
    tmp_path: Path, name: str, options: tuple[str, ...], password: str, told: str
) -> None:
    add(tmp_path, "taken", "--role", "analyst")
    before = (tmp_path / "users.json").read_bytes()
    refused = add(tmp_path, name, *options, password=password)
    assert refused.exit_code == 1
    assert told in refused.output
    assert (tmp_path / "users.json").read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ("user", "remove", "nobody"),
        ("user", "link", "nobody"),
        ("user", "password", "nobody", "--password-stdin"),
        ("token", "revoke", "nobody"),
        ("token", "create", "x", "--property", "x.example"),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    refused = run(tmp_path, *words, told=f"{PASSWORD}\n")
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: ")
    assert refused.output.count("\n") == 1


def test_the_same_letters_are_the_same_password_however_they_are_composed(running: Stack) -> None:
    add(running.data, "rene", "--role", "analyst", password="Zu\u0308rich, Ko\u0308ln")
    assert sign_in(running, name="rene", password="Z\u00fcrich, K\u00f6ln").status == 204

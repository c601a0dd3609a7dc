"""Tokens on disk: made once, kept as hashes, private, and worthless when they are revoked or have expired."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import orjson
import pytest

from collector.analyst.roles import Asker, Role
from collector.analyst.tokens import Tokens, operator_token
from collector.errors import Misconfigured
from tests.memory_reading import SteppedClock, seconds

NOON = seconds("2026-11-22T12:00:00")


def tokens_in(data: Path, analyst_token: str | None = None, clock: SteppedClock | None = None) -> Tokens:
    return Tokens(data, analyst_token, clock or SteppedClock(NOON))


def test_of_a_created_token_only_its_hash_is_kept_in_private_files(tmp_path: Path) -> None:
    tokens = tokens_in(tmp_path)
    token = tokens.create("report-mailer")
    assert len(token) >= 43
    assert tokens.asker(token) == Asker(name="report-mailer", role=Role.ANALYST)
    entries = orjson.loads((tmp_path / "tokens.json").read_bytes())
    assert entries == [
        {
            "name": "report-mailer",
            "sha256": hashlib.sha256(token.encode()).hexdigest(),
            "created": "2026-11-22",
            "properties": None,
            "expires": None,
        }
    ]
    for name in ("operator.token", "tokens.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_a_token_of_some_properties_is_a_viewer_of_those(tmp_path: Path) -> None:
    tokens = tokens_in(tmp_path)
    asker = tokens.asker(tokens.create("partner", ["a.example", "b.example", "a.example"]))
    assert asker == Asker(name="partner", role=Role.VIEWER, properties=frozenset({"a.example", "b.example"}))


def test_a_token_is_worthless_from_the_second_it_expires(tmp_path: Path) -> None:
    clock = SteppedClock(NOON)
    tokens = tokens_in(tmp_path, clock=clock)
    token = tokens.create("for-a-day", days=1)
    clock.at = NOON + 86_399
    assert tokens.asker(token)
    clock.at = NOON + 86_400
    assert tokens.asker(token) is None


def test_a_revoked_token_is_worthless_at_once_and_its_name_is_free(tmp_path: Path) -> None:
    port = tokens_in(tmp_path)
    commands = tokens_in(tmp_path)  # as another process has it
    kept, revoked = commands.create("kept"), commands.create("revoked")
    assert port.asker(revoked)
    commands.revoke("revoked")
    assert port.asker(revoked) is None
    assert port.asker(kept)
    assert commands.create("revoked") != revoked
    with pytest.raises(Misconfigured):
        commands.revoke("nobody")


def test_tokens_of_the_first_version_are_still_admitted(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"t" * 43).hexdigest()
    (tmp_path / "tokens.json").write_bytes(orjson.dumps([{"name": "old", "sha256": digest, "created": "2026-11-20"}]))
    assert tokens_in(tmp_path).asker("t" * 43) == Asker(name="old", role=Role.ANALYST)


def test_tokens_can_be_created_before_the_first_start(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "var"
    token = tokens_in(data).create("report-mailer")
    assert tokens_in(data).asker(token)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_the_operators_token_is_made_once_and_an_admins(tmp_path: Path) -> None:
    tokens_in(tmp_path)
    token = operator_token(tmp_path)
    assert tokens_in(tmp_path).asker(token) == Asker(name="operator", role=Role.ADMIN)
    assert operator_token(tmp_path) == token


def test_the_token_of_the_environment_is_an_analysts_of_everything(tmp_path: Path) -> None:
    assert tokens_in(tmp_path, "e" * 32).asker("e" * 32) == Asker(name="analyst", role=Role.ANALYST)


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "../x", "taken"])
def test_a_token_has_a_plain_name_of_its_own(tmp_path: Path, name: str) -> None:
    tokens = tokens_in(tmp_path)
    tokens.create("taken")
    with pytest.raises(Misconfigured):
        tokens.create(name)


@pytest.mark.parametrize("token", ["", "x" * 31, "x" * 201, "x" * 31 + "\n", "x" * 31 + "ä", " " * 32])
def test_a_token_of_the_environment_that_is_too_weak_or_odd_stops_the_start(tmp_path: Path, token: str) -> None:
    with pytest.raises(Misconfigured):
        tokens_in(tmp_path, token)


def test_a_damaged_operators_token_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "operator.token").write_bytes(b"")
    with pytest.raises(Misconfigured):
        tokens_in(tmp_path)


def test_a_damaged_list_is_never_overwritten(tmp_path: Path) -> None:
    tokens_in(tmp_path)
    (tmp_path / "tokens.json").write_bytes(b"[{")
    with pytest.raises(Misconfigured):
        tokens_in(tmp_path).create("new")
    assert (tmp_path / "tokens.json").read_bytes() == b"[{"

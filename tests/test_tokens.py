"""Tokens on disk: made once, kept as hashes, private."""

from __future__ import annotations

import stat
from pathlib import Path

import orjson
import pytest

from collector.analyst.tokens import Tokens, operator_token
from collector.errors import Misconfigured


def test_of_a_created_token_only_its_hash_is_kept_in_private_files(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path, None)
    token = tokens.create("report-mailer")
    assert len(token) >= 43
    assert tokens.admits(token)
    entries = orjson.loads((tmp_path / "tokens.json").read_bytes())
    assert [entry.keys() for entry in entries] == [{"name", "sha256", "created"}]
    assert token.encode() not in (tmp_path / "tokens.json").read_bytes()
    for name in ("operator.token", "tokens.json"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_tokens_can_be_created_before_the_first_start(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "var"
    token = Tokens(data, None).create("report-mailer")
    assert Tokens(data, None).admits(token)
    assert stat.S_IMODE(data.stat().st_mode) == 0o700


def test_the_operators_token_is_made_once(tmp_path: Path) -> None:
    Tokens(tmp_path, None)
    token = operator_token(tmp_path)
    assert Tokens(tmp_path, None).admits(token)
    assert operator_token(tmp_path) == token


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "../x", "taken"])
def test_a_token_has_a_plain_name_of_its_own(tmp_path: Path, name: str) -> None:
    tokens = Tokens(tmp_path, None)
    tokens.create("taken")
    with pytest.raises(Misconfigured):
        tokens.create(name)


@pytest.mark.parametrize("token", ["", "x" * 31, "x" * 201, "x" * 31 + "\n", "x" * 31 + "ä", " " * 32])
def test_a_token_of_the_environment_that_is_too_weak_or_odd_stops_the_start(tmp_path: Path, token: str) -> None:
    with pytest.raises(Misconfigured):
        Tokens(tmp_path, token)


def test_a_damaged_operators_token_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "operator.token").write_bytes(b"")
    with pytest.raises(Misconfigured):
        Tokens(tmp_path, None)

"""Who may read: bearer tokens of 256 bits, of which only SHA-256 is kept.

    DATA/operator.token   the token of the commands on this machine, made at first start, one line; 0600
    DATA/tokens.json      [{"name", "sha256", "created"}], tokens shown once when made; 0600, replaced whole
    COLLECTOR_ANALYST_TOKEN  one more, from the environment: 32 to 200 printable ASCII characters

Every one of them reads every property; only the operator's opens the quarantine. tokens.json is read again when it
changes, so that `collector token create` needs no restart. A token is never logged, and compared in constant time. The
analyst port asks; the commands create.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson

from collector.disk import DISK
from collector.errors import Misconfigured
from collector.log import log

TOKEN_BYTES = 32
MIN_LENGTH, MAX_LENGTH = 32, 200

_OPERATOR = "operator.token"
_NAMED = "tokens.json"
_LOCK = "tokens.lock"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Signature = tuple[int, int, int] | None


class Tokens:
    """The tokens of one data directory, and the one of the environment."""

    def __init__(self, data: Path, analyst_token: str | None) -> None:
        """Make the operator's token if there is none; raises Misconfigured for tokens that cannot be used."""
        if analyst_token is not None and not _is_usable(analyst_token):
            raise Misconfigured(
                f"COLLECTOR_ANALYST_TOKEN must be {MIN_LENGTH} to {MAX_LENGTH} printable ASCII characters"
            )
        self._data = data
        self._operator = _digest(operator_token(data))
        self._fixed = [self._operator, *([_digest(analyst_token)] if analyst_token is not None else [])]
        self._named: list[bytes] = []
        self._seen: Signature = None
        self._read_again()

    def admits(self, token: str) -> bool:
        """Whether this is one of the tokens; takes the same time whichever it is."""
        self._read_again()
        asked = _digest(token)
        return sum(hmac.compare_digest(asked, known) for known in (*self._fixed, *self._named)) > 0

    def is_operators(self, token: str) -> bool:
        """Whether this is the operator's, who may also change what is kept."""
        return hmac.compare_digest(_digest(token), self._operator)

    def create(self, name: str) -> str:
        """Make a token of that name, durable when this returns; it is told here and never again."""
        if not _NAME.fullmatch(name):
            raise Misconfigured("the name of a token is 1 to 64 letters, digits, dots, dashes or underscores")
        token = secrets.token_urlsafe(TOKEN_BYTES)
        created = datetime.now(UTC).date().isoformat()
        with _alone(self._data):
            entries = _entries(self._data)
            if any(entry["name"] == name for entry in entries):
                raise Misconfigured("there is a token of that name already: choose another")
            entries.append({"name": name, "sha256": _digest(token).hex(), "created": created})
            DISK.write_durably(self._data / _NAMED, orjson.dumps(entries, option=orjson.OPT_INDENT_2))
        return token

    def _read_again(self) -> None:
        """Take over tokens.json if it is another file than last time; a damaged one admits nobody."""
        seen = _signature(self._data / _NAMED)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._named = [bytes.fromhex(entry["sha256"]) for entry in _entries(self._data)]
        except Misconfigured:
            self._named = []
            log.error("tokens cannot be read: none of them is admitted", file=_NAMED)


def operator_token(data: Path) -> str:
    """The token of this machine's commands, made at the first call; raises Misconfigured if it is unusable."""
    path = data / _OPERATOR
    try:
        if not path.exists():
            data.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _alone(data):
                if not path.exists():
                    DISK.write_durably(path, secrets.token_urlsafe(TOKEN_BYTES).encode() + b"\n")
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} cannot be used: {type(error).__name__}") from error
    if not _is_usable(token):
        raise Misconfigured(f"{path} is damaged: remove it, and the next start makes another")
    return token


def _entries(data: Path) -> list[dict[str, str]]:
    """What stands in tokens.json; nothing if it is absent."""
    path = data / _NAMED
    try:
        entries = orjson.loads(path.read_bytes())
        return [
            {"name": str(entry["name"]), "sha256": bytes.fromhex(entry["sha256"]).hex(), "created": entry["created"]}
            for entry in entries
        ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Misconfigured(f"{path} is damaged: restore it, or remove it and create the tokens again") from error


def _is_usable(token: str) -> bool:
    return MIN_LENGTH <= len(token) <= MAX_LENGTH and token.isascii() and token.isprintable() and token == token.strip()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _signature(path: Path) -> Signature:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """No other process makes a token meanwhile."""
    fd = os.open(data / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
        DISK.sync_folder(data)
    finally:
        os.close(fd)

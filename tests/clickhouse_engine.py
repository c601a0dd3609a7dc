"""The embedded engine as a server runs it for one HTTP request: a connection, settings, a statement, an answer.

Its folder may have belonged to a process that was killed a moment ago: opening waits until that one has let go. It has
no place to keep users in: with a `config` (tests/clickhouse_access.py) statements about them are only parsed.
"""

from __future__ import annotations

import fcntl
import importlib
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FREE_PATIENCE_S = 10.0
_INSERT = re.compile(rb"\s*INSERT\s+INTO\s+(.*?)\s+FORMAT\s+(\w+)\s*(?:\n|$)", re.IGNORECASE | re.DOTALL)
_ACCESS = re.compile(r"(CREATE|ALTER) (USER|ROLE|SETTINGS PROFILE|QUOTA) |GRANT ")
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One request: a statement, what it inserts, and under which settings."""

    text: bytes
    data: bytes
    database: str
    settings: Mapping[str, str]
    parameters: Mapping[str, str]
    form: str

    @property
    def insert(self) -> re.Match[bytes] | None:
        """The table and format, if it inserts rows."""
        return _INSERT.match(self.text)


class Refusal(Exception):
    """An answer that is an error of ClickHouse's: its number and text."""

    def __init__(self, code: int, text: str, status: int = 500) -> None:
        super().__init__(text)
        self.code = code
        self.status = status


class Engine:
    """The embedded engine on a folder, opened once the process before has let go of it."""

    def __init__(self, folder: Path, config: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._has_config = bool(config)
        self._lock = os.open(folder / "harness.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._path = str(folder / "engine") + (f"?config-file={config}" if config else "")
        self._chdb: Any = importlib.import_module("chdb")
        give_up = time.monotonic() + FREE_PATIENCE_S
        while True:
            try:
                self._root = self._chdb.connect(self._path)  # keeps the engine open between requests
                break
            except RuntimeError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.05)

    def run(self, statement: Statement, user: Mapping[str, str]) -> bytes:
        """What the statement answers; `user` are the settings of a user's profile. Raises Refusal."""
        connection = self._chdb.connect(self._path)
        try:
            for name, value in user.items():
                connection.query(f"SET {name} = {_literal(value)}")
            if statement.database:
                connection.query(f"USE `{statement.database}`")
            for name, value in sorted(statement.settings.items(), key=lambda item: item[0] == "readonly"):
                connection.query(f"SET {name} = {_literal(value)}")
            if insert := statement.insert:
                with connection.send_insert(f"INSERT INTO {insert[1].decode()}", insert[2].decode()) as inserter:
                    inserter.append(statement.text[insert.end() :] + statement.data)
                    inserter.finish()
                return b""
            text = statement.text.decode()
            if self._has_config and _ACCESS.match(text):
                connection.query(f"SELECT formatQuery({_literal(text)})")
                return b""
            form = _FORMAT.search(text)
            answer = connection.query(text, form[1] if form else statement.form, params=dict(statement.parameters))
            return answer.bytes() or b""
        except RuntimeError as error:
            told = str(error)[max(str(error).find("Code: "), 0) :]
            code = re.match(r"Code: (\d+)", told)
            raise Refusal(int(code[1]) if code else 1002, told) from None
        finally:
            connection.close()


def _literal(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"

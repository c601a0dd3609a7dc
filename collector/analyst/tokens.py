"""Bearer tokens of 256 bits, of which only SHA-256 is kept.

    DATA/operator.token   the token of the commands on this machine, made at first start, one line; 0600. An admin's
    DATA/tokens.json      [{"name", "sha256", "created", "properties", "expires"}], told once when made; see roster.py
    COLLECTOR_ANALYST_TOKEN  one more, from the environment: 32 to 200 printable ASCII characters. An analyst's

A token of tokens.json is an analyst's, or a viewer's of its `properties`, for good or until `expires` (seconds since
1970). A token is never logged, and compared in constant time. The analyst port asks; the commands create and revoke.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collector.analyst.roles import Asker, Role
from collector.analyst.roster import NAME, NAME_RULE, Roster, alone
from collector.analyst.users import OPERATOR
from collector.clock import Clock
from collector.disk import DISK
from collector.errors import Misconfigured

TOKEN_BYTES = 32
MIN_LENGTH, MAX_LENGTH = 32, 200
DAY_S = 86_400

_OPERATOR = "operator.token"
_NAMED = "tokens.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token, by its digest."""

    name: str
    sha256: str
    created: str
    properties: tuple[str, ...] | None
    expires: int | None

    def asker(self) -> Asker:
        """Who sends it."""
        if self.properties is None:
            return Asker(name=self.name, role=Role.ANALYST, expires_s=self.expires)
        return Asker(name=self.name, role=Role.VIEWER, properties=frozenset(self.properties), expires_s=self.expires)


class Tokens:
    """The tokens of one data directory, and the one of the environment."""

    def __init__(self, data: Path, analyst_token: str | None, clock: Clock) -> None:
        """Make the operator's token if there is none; raises Misconfigured for tokens that cannot be used."""
        if analyst_token is not None and not _is_usable(analyst_token):
            raise Misconfigured(
                f"COLLECTOR_ANALYST_TOKEN must be {MIN_LENGTH} to {MAX_LENGTH} printable ASCII characters"
            )
        self._clock = clock
        self._fixed = [(_digest(operator_token(data)), Asker(name=OPERATOR, role=Role.ADMIN))]
        if analyst_token is not None:
            self._fixed.append((_digest(analyst_token), Asker(name="analyst", role=Role.ANALYST)))
        self._roster = Roster(data / _NAMED, _token)

    def asker(self, token: str) -> Asker | None:
        """Whose token this is, None for nobody's; takes the same time whichever it is."""
        asked, now = _digest(token), self._clock.now()
        named = [(each.sha256, each.asker()) for each in self._roster.entries()]
        found = [who for known, who in (*self._fixed, *named) if hmac.compare_digest(asked, known)]
        return found[0] if found and (found[0].expires_s is None or found[0].expires_s > now) else None

    def listed(self) -> tuple[Token, ...]:
        """Those of tokens.json; raises Misconfigured where it is damaged."""
        return self._roster.listed()

    def create(self, name: str, properties: Sequence[str] = (), days: int | None = None) -> str:
        """Make a token of that name, durable when this returns; it is told here and never again."""
        if not NAME.fullmatch(name):
            raise Misconfigured(f"the name of a token is {NAME_RULE}")
        token, now = secrets.token_urlsafe(TOKEN_BYTES), self._clock.now()
        new = Token(
            name=name,
            sha256=_digest(token),
            created=datetime.fromtimestamp(now, UTC).date().isoformat(),
            properties=tuple(dict.fromkeys(properties)) or None,
            expires=None if days is None else int(now) + days * DAY_S,
        )
        with self._roster.changing() as tokens:
            if any(each.name == name for each in tokens):
                raise Misconfigured("there is a token of that name already: choose another")
            tokens.append(new)
        return token

    def revoke(self, name: str) -> None:
        """Admit a token no more, from now on."""
        with self._roster.changing() as tokens:
            if not any(each.name == name for each in tokens):
                raise Misconfigured("there is no token of that name: see collector token list")
            tokens[:] = [each for each in tokens if each.name != name]


def operator_token(data: Path) -> str:
    """The token of this machine's commands, made at the first call; raises Misconfigured if it is unusable."""
    path = data / _OPERATOR
    try:
        if not path.exists():
            with alone(data):
                if not path.exists():
                    DISK.write_durably(path, secrets.token_urlsafe(TOKEN_BYTES).encode() + b"\n")
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} cannot be used: {type(error).__name__}") from error
    if not _is_usable(token):
        raise Misconfigured(f"{path} is damaged: remove it, and the next start makes another")
    return token


def _token(entry: dict[str, Any]) -> Token:
    properties, expires = entry.get("properties"), entry.get("expires")  # neither in files of the first version
    return Token(
        name=str(entry["name"]),
        sha256=bytes.fromhex(entry["sha256"]).hex(),
        created=str(entry["created"]),
        properties=None if properties is None else tuple(map(str, properties)),
        expires=None if expires is None else int(expires),
    )


def _is_usable(token: str) -> bool:
    return MIN_LENGTH <= len(token) <= MAX_LENGTH and token.isascii() and token.isprintable() and token == token.strip()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()

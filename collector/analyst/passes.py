"""Sessions and sign-in codes: 256 bits that stand for a user for a while, of which only SHA-256 is kept.

    DATA/sessions.json   [{"name", "sha256", "expires"}], 12 hours from signing in, used or not
    DATA/sign_ins.json   the same of codes, each good for one signing in within 24 hours

`expires` is in seconds since 1970. Both outlive a restart. Nothing is kept of when, with what or from where a session
is used. Made and ended by sign_in.py and the commands; roster.py keeps them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collector.analyst.roster import Roster
from collector.clock import Clock

SECRET_BYTES = 32
SESSION_S = 12 * 3600
CODE_S = 24 * 3600
MOST_OF_ONE = 100  # sessions of one user; the oldest ends when there is one more


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One secret, by its digest."""

    name: str
    sha256: str
    expires: int


class Passes:
    """Secrets of one kind, each of one user until it expires."""

    def __init__(self, path: Path, lasts_s: int, clock: Clock) -> None:
        self._path = path
        self._roster = Roster(path, _pass)
        self._lasts_s = lasts_s
        self._clock = clock

    @classmethod
    def sessions(cls, data: Path, clock: Clock) -> Passes:
        """Those in DATA/sessions.json."""
        return cls(data / "sessions.json", SESSION_S, clock)

    @classmethod
    def codes(cls, data: Path, clock: Clock) -> Passes:
        """Those in DATA/sign_ins.json."""
        return cls(data / "sign_ins.json", CODE_S, clock)

    def began(self) -> bool:
        """Whether there ever was one."""
        return self._path.exists()

    def create(self, name: str, allowed: Callable[[], bool] = lambda: True) -> str | None:
        """A new secret of that user, told here only; None if, once nobody else changes anything, it is not allowed."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        now = self._clock.now()
        new = Pass(name=name, sha256=_digest(secret), expires=int(now) + self._lasts_s)
        with self._roster.changing() as passes:
            if not allowed():
                return None
            passes[:] = [each for each in passes if each.expires > now]
            theirs = [each for each in passes if each.name == name]
            for oldest in theirs[: max(0, len(theirs) - MOST_OF_ONE + 1)]:
                passes.remove(oldest)
            passes.append(new)
        return secret

    def find(self, secret: str) -> Pass | None:
        """What a secret stands for; None for one that is unknown or has expired."""
        asked, now = _digest(secret), self._clock.now()
        found = [each for each in self._roster.entries() if hmac.compare_digest(each.sha256, asked)]
        return found[0] if found and found[0].expires > now else None

    def take(self, secret: str) -> Pass | None:
        """What a secret stands for, and no more after this, whoever else takes it at the same time."""
        if self.find(secret) is None:
            return None
        with self._roster.changing() as passes:
            found = self.find(secret)
            if found:
                passes.remove(found)
        return found

    def end(self, name: str) -> None:
        """All secrets of a user stand for nothing."""
        with self._roster.changing() as passes:
            passes[:] = [each for each in passes if each.name != name]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def _pass(entry: dict[str, Any]) -> Pass:
    return Pass(name=str(entry["name"]), sha256=bytes.fromhex(entry["sha256"]).hex(), expires=int(entry["expires"]))

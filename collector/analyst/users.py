"""People who sign in: a name, a role, and a password of which only its argon2id hash is kept.

    DATA/users.json   [{"name", "role", "properties", "password", "created"}]; see roster.py

`properties` is a list for viewers and null for the others. Nothing is kept of when or from where anybody signs in.
Commands add and remove; the analyst port verifies, in a thread: argon2 takes 64 MiB and a sixth of a second.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from collector.analyst.roles import Role
from collector.analyst.roster import NAME, NAME_RULE, Roster
from collector.errors import Misconfigured

FILE = "users.json"
OPERATOR = "operator"  # who holds operator.token, or a sign-in link of nobody in particular
MIN_PASSWORD, MAX_PASSWORD = 12, 1024  # characters

_HASHER = PasswordHasher()
# Of no password: an unknown name costs as long as a known one.
_NOBODYS = (
    f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}$"
    "AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who may sign in."""

    name: str
    role: Role
    properties: tuple[str, ...] | None
    password: str
    created: str


class Users:
    """The users of one data directory."""

    def __init__(self, data: Path) -> None:
        self._roster = Roster(data / FILE, _user)

    def find(self, name: str) -> User | None:
        """The user of that name, as of now."""
        return next((user for user in self._roster.entries() if user.name == name), None)

    def listed(self) -> tuple[User, ...]:
        """Everybody; raises Misconfigured where the file is damaged."""
        return self._roster.listed()

    def verify(self, name: str, password: str) -> User | None:
        """The user who has that password, or None; takes as long for a name that nobody has. Blocks."""
        user = self.find(name)
        try:
            _HASHER.verify(user.password if user else _NOBODYS, _composed(password))
        except (VerificationError, InvalidHashError):
            return None
        return user

    def known(self, name: str) -> User:
        """The user of that name; raises Misconfigured if there is none."""
        return _of(self.listed(), name)

    def check_new(self, name: str, role: Role, properties: Sequence[str]) -> None:
        """Raises Misconfigured for whom `add` would refuse."""
        if not NAME.fullmatch(name):
            raise Misconfigured(f"the name of a user is {NAME_RULE}")
        if name == OPERATOR:
            raise Misconfigured(f"{OPERATOR} is whoever starts the collector: choose another name")
        if (role is Role.VIEWER) != bool(properties):
            raise Misconfigured("a viewer needs at least one --property; an analyst or admin sees all, and takes none")
        _refuse_taken(self.listed(), name)

    def add(self, name: str, role: Role, properties: Sequence[str], password: str) -> None:
        """Let somebody in; raises Misconfigured for whom it cannot."""
        self.check_new(name, role, properties)
        user = User(
            name=name,
            role=role,
            properties=tuple(dict.fromkeys(properties)) or None,
            password=_hashed(password),
            created=datetime.now(UTC).date().isoformat(),
        )
        with self._roster.changing() as users:
            _refuse_taken(users, name)
            users.append(user)

    def remove(self, name: str) -> None:
        """Let somebody in no more."""
        with self._roster.changing() as users:
            users.remove(_of(users, name))

    def set_password(self, name: str, password: str) -> None:
        """Another password for somebody."""
        hashed = _hashed(password)
        with self._roster.changing() as users:
            user = _of(users, name)
            users[users.index(user)] = replace(user, password=hashed)


def _refuse_taken(users: Sequence[User], name: str) -> None:
    if any(each.name == name for each in users):
        raise Misconfigured("there is a user of that name already")


def _of(users: Sequence[User], name: str) -> User:
    user = next((each for each in users if each.name == name), None)
    if user is None:
        raise Misconfigured("there is no user of that name: see collector user list")
    return user


def _hashed(password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise Misconfigured(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    return _HASHER.hash(_composed(password))


def _composed(password: str) -> str:
    """The same letters are the same password, however a keyboard composes them."""
    return unicodedata.normalize("NFC", password)


def _user(entry: dict[str, Any]) -> User:
    properties = entry["properties"]
    user = User(
        name=str(entry["name"]),
        role=Role(entry["role"]),
        properties=None if properties is None else tuple(map(str, properties)),
        password=str(entry["password"]),
        created=str(entry["created"]),
    )
    if (user.role is Role.VIEWER) != bool(user.properties):
        raise ValueError("a viewer sees some properties, others see all")
    return user

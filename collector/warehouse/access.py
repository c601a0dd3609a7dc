"""Who may do what in a ClickHouse server: roles, users, limits and views, made by `collector migrate`.

    user               role                may
    collector_writer   collector_write     what a collector does (writing.py, in_force.py, parts.py) and asks
    collector_reader   collector_read      read both tables; `hot` is not folded: for the operator only
    analyst            collector_analyse   read the views of reports (views.py), and nothing else
    collector_views    (none)              own the views; nobody can be it

Every statement may be repeated. A password comes from the environment, is sent as a salted SHA-256, and is neither in
an argument nor printed. A user without one is made so that nobody can be it (HOST NONE, a random hash), and stays as
it is when it is there already. Passwords that are repeated are set anew.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from collector.catalogue.reports import Report
from collector.errors import Misconfigured
from collector.warehouse.engine import QUERY_MEMORY_BYTES, QUERY_TIME_S
from collector.warehouse.tables import TABLES, Place
from collector.warehouse.views import DEFINER, READ, view_statements

LEAST_PASSWORD = 12
_USERS = {"collector_writer": "collector_write", "collector_reader": "collector_read", "analyst": "collector_analyse"}
PASSWORDS = {user: f"CLICKHOUSE_{user.removeprefix('collector_').upper()}_PASSWORD" for user in _USERS}
"""The environment variable that holds a user's password."""

_SYSTEM = {
    "collector_write": ("columns", "databases", "detached_parts", "parts", "processes", "settings", "tables"),
    "collector_read": ("parts", "settings"),
}
# The last two: a merge that was not written is undone by opening the table anew; replicas do that by themselves.
_WRITES = ("SELECT", "INSERT", "ALTER DELETE", "CHECK", "DROP TABLE", "CREATE TABLE")
_WRITES_REPLICA = _WRITES[:-2]

_MEMORY = f"max_memory_usage = {QUERY_MEMORY_BYTES} CONST"
_PROFILES = {
    "collector_read": (
        f"readonly = 1 CONST, {_MEMORY}, max_execution_time = {QUERY_TIME_S} CONST, select_sequential_consistency = 1"
    ),
    # readonly = 2: nothing can be written, settings can be set. Grafana's data source sets max_execution_time with
    # every question, and CHANGEABLE_IN_READONLY is refused by servers that do not replace earlier constraints.
    "collector_analyse": f"readonly = 2 CONST, {_MEMORY}, max_execution_time = {QUERY_TIME_S} MIN 1 MAX 60",
}
_QUOTA = "KEYED BY user_name FOR INTERVAL 1 minute MAX queries = 600, execution_time = 120"


class Statement(NamedTuple):
    """What is sent, but for what stands for `secrets` in it: name -> value."""

    shown: str
    secrets: Mapping[str, str] = {}

    @property
    def sent(self) -> str:
        """The statement with its secrets."""
        text = self.shown
        for name, value in self.secrets.items():
            text = text.replace(name, value)
        return text


def access_statements(reports: Iterable[Report], place: Place, environ: Mapping[str, str]) -> Iterator[Statement]:
    """Everything above, in an order in which nothing is named before it is there. Raises Misconfigured."""
    on, reports = place.on_cluster, list(reports)
    for role in _USERS.values():
        yield Statement(f"CREATE ROLE IF NOT EXISTS {role}{on}")
    for role, settings in _PROFILES.items():
        yield Statement(f"CREATE SETTINGS PROFILE OR REPLACE {role}{on} SETTINGS {settings} TO {role}")
    yield Statement(f"CREATE QUOTA OR REPLACE collector_analyse{on} {_QUOTA} TO collector_analyse")
    yield _nobody(DEFINER, on)
    yield Statement(f"GRANT{on} SELECT({', '.join(READ)}) ON {place.of('sealed')} TO {DEFINER}")
    yield from map(Statement, view_statements(reports, place))
    for role, grants in _grants(reports, place).items():
        yield Statement(f"GRANT{on} {', '.join(grants)} TO {role}")
    for user, role in _USERS.items():
        yield _nobody(user, on)
        yield Statement(f"GRANT{on} {role} TO {user}")
        if password := environ.get(PASSWORDS[user]):
            if len(password) < LEAST_PASSWORD:
                raise Misconfigured(f"{PASSWORDS[user]}: must have at least {LEAST_PASSWORD} characters")
            yield _identified(f"ALTER USER {user}{on}", password, f"of {PASSWORDS[user]}", "HOST ANY")


def _grants(reports: Iterable[Report], place: Place) -> dict[str, list[str]]:
    """What each role is granted, as GRANT lists it."""
    rights = {"collector_write": _WRITES_REPLICA if place.cluster else _WRITES, "collector_read": ("SELECT",)}
    granted = {
        role: [f"{', '.join(may)} ON {place.of(table)}" for table in TABLES]
        + [f"SELECT ON system.{table}" for table in _SYSTEM[role]]
        for role, may in rights.items()
    }
    granted["collector_analyse"] = [f"SELECT ON {place.of(report.name)}" for report in reports]
    return granted


def _nobody(user: str, on: str) -> Statement:
    """Makes a user whom nobody can be, if it is not there."""
    return _identified(f"CREATE USER IF NOT EXISTS {user}{on}", secrets.token_urlsafe(32), "random", "HOST NONE")


def _identified(statement: str, password: str, what: str, host: str) -> Statement:
    salt = secrets.token_hex(16)
    # Whoever steals hashes of this kind guesses fast: these are for machines, and for nobody's memory.
    digest = hashlib.sha256((password + salt).encode()).hexdigest().upper()
    shown = f"{statement} IDENTIFIED WITH sha256_hash BY '(hash {what})' SALT '(salt {what})' {host}"
    return Statement(shown, {f"(hash {what})": digest, f"(salt {what})": salt})

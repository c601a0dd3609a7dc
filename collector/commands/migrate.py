"""`collector migrate`: makes a ClickHouse server, or every replica of a cluster, ready for collectors and analysts.

Database, tables (warehouse/migrations.py), roles, users, limits and views (warehouse/access.py), by statements that may
all be repeated. A collector whose user may do so makes the tables by itself; this is for servers where it may not, for
replicas, and for analysts who ask the database itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import closing

import click
from clickhouse_connect.driver.client import Client

from collector.catalogue.declarations import read_declarations
from collector.commands.common import plainly, read, settings_options
from collector.errors import Misconfigured, Unavailable
from collector.warehouse.access import PASSWORDS, Statement, access_statements
from collector.warehouse.engine import FAILURES, away
from collector.warehouse.in_force import make_tables
from collector.warehouse.migrations import statements_from
from collector.warehouse.server import Server
from collector.warehouse.tables import SCHEMA, Place

_CLUSTER = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@click.command()
@click.option("--cluster", metavar="NAME", help="On every replica of this cluster (of one shard), tables replicated.")
@click.option("--dry-run", is_flag=True, help="Print every statement, and send none.")
@settings_options("config", "clickhouse")
@plainly
def migrate(*, cluster: str | None, dry_run: bool, **flags: str | None) -> None:
    """Make the database, tables, roles, users and views of a ClickHouse server, or bring them to this version.

    COLLECTOR_CLICKHOUSE names the server and a user who may do all that; afterwards give collectors the user
    collector_writer. Every statement may be repeated: after an upgrade, or for one replica more. Stop the collectors
    first where a version is to change.

    Passwords are taken from CLICKHOUSE_WRITER_PASSWORD, CLICKHOUSE_READER_PASSWORD and CLICKHOUSE_ANALYST_PASSWORD. A
    user without one is made so that nobody can sign in as it, until it is given one.
    """
    if cluster is not None and not _CLUSTER.fullmatch(cluster):
        raise Misconfigured("--cluster: 1 to 64 letters, digits, dots, dashes and underscores")
    settings = read(flags)
    if settings.clickhouse is None:
        raise Misconfigured("migrate is for a ClickHouse server (COLLECTOR_CLICKHOUSE): the engine inside needs none")
    with closing(Server(settings.clickhouse)) as server:
        place = Place(database=server.database, cluster=cluster or "")
        statements = list(access_statements(read_declarations().reports.values(), place, os.environ))
        create = f"CREATE DATABASE IF NOT EXISTS `{place.database}`{place.on_cluster}"
        if dry_run:
            for text in (create, *statements_from(0, place), *(statement.shown for statement in statements)):
                click.echo(f"{text};\n")
            return
        try:
            _run(server, place, create, statements)
        except Unavailable as error:
            raise Misconfigured(f"{error}. What was done stays, and may be repeated.") from None


def _run(server: Server, place: Place, create: str, statements: list[Statement]) -> None:
    client = server.administrator()
    _say(create, lambda: client.command(create))
    client.database = place.database
    version = _say("the tables", lambda: make_tables(client, place))
    click.echo(f"Tables: {f'version {version} became' if version else 'made, of'} version {SCHEMA}.")
    for statement in statements:
        _send(client, statement)
    unset = [name for name in PASSWORDS.values() if not os.environ.get(name)]
    click.echo(f"Roles, users and views: {len(statements)} statements.")
    if unset:
        click.echo(f"Not set, and left as they were: {', '.join(unset)}.")


def _send(client: Client, statement: Statement) -> None:
    _say(statement.shown, lambda: client.command(statement.sent))


def _say(what: str, run: Callable[[], object]) -> object:
    """Do it; raises Unavailable, saying which statement failed."""
    try:
        return run()
    except FAILURES as error:
        raise away(f"failed: {what.splitlines()[0]}", error) from error

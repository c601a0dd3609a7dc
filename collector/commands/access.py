"""`collector user` and `collector token`: who may see the counts, and how an operator lets them in and out.

Every command changes files of the data directory (analyst/roster.py), whether the collector runs or not; one that runs
sees it at once. What is secret is printed on standard output, once; what is said about it on standard error.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from collector.analyst.passes import Passes
from collector.analyst.roles import Role
from collector.analyst.tokens import Tokens
from collector.analyst.users import MIN_PASSWORD, OPERATOR, Users
from collector.catalogue.registry import Registry, quoted
from collector.clock import SystemClock
from collector.commands.common import plainly, read, settings_options
from collector.data_folder import holder_of
from collector.errors import Misconfigured
from collector.settings import Settings
from collector.tools.client import reachable

FROM_STDIN = click.option("--password-stdin", "from_stdin", is_flag=True, help="Read the password's line from stdin.")
PROPERTIES = click.option(
    "--property", "properties", multiple=True, metavar="ID", help="Site or product to be seen; may be given again."
)


@click.group()
def user() -> None:
    """People who sign in to the dashboard with a name and a password."""


@user.command("add", short_help="Let somebody in.")
@click.argument("name")
@click.option("--role", type=click.Choice([each.value for each in Role]), required=True, help="What they may do.")
@PROPERTIES
@FROM_STDIN
@settings_options("config", "data")
@plainly
def add_user(name: str, role: str, properties: tuple[str, ...], *, from_stdin: bool, **flags: str | None) -> None:
    """Let somebody in who is called NAME from now on, and asks for a password.

    \b
    viewer   sees the properties named with --property
    analyst  sees every property
    admin    sees every property, and decides about quarantine and sealing
    """  # noqa: D301 - click's sign for lines that stay as they are
    settings = read(flags)
    _refuse_unknown(settings.registry, properties)
    users = Users(settings.data)
    users.check_new(name, Role(role), properties)
    password = _password(from_stdin=from_stdin)
    _end_passes(settings.data, name)  # of an earlier one of that name, whose removal did not come to its end
    users.add(name, Role(role), properties, password)
    click.echo(f"{name} may sign in.", err=True)


@user.command("list", short_help="List who may sign in.")
@settings_options("config", "data")
@plainly
def list_users(**flags: str | None) -> None:
    """List who may sign in: name, role, properties, and the day they were added."""
    for each in Users(read(flags).data).listed():
        click.echo(f"{each.name}  {each.role}  {_seen(each.properties)}  since {each.created}")


@user.command("remove", short_help="Let somebody in no more.")
@click.argument("name")
@settings_options("config", "data")
@plainly
def remove_user(name: str, **flags: str | None) -> None:
    """Let NAME in no more; whoever is signed in under that name is out at once.

    `operator` is nobody's name, but whoever signed in by a link of no name: they are out, too.
    """
    data = read(flags).data
    if name != OPERATOR:
        Users(data).remove(name)
    _end_passes(data, name)
    click.echo(f"{name} is out.", err=True)


@user.command("password", short_help="Give somebody another password.")
@click.argument("name")
@FROM_STDIN
@settings_options("config", "data")
@plainly
def change_password(name: str, *, from_stdin: bool, **flags: str | None) -> None:
    """Give NAME another password; whoever is signed in under that name is out at once."""
    data = read(flags).data
    users = Users(data)
    users.known(name)
    users.set_password(name, _password(from_stdin=from_stdin))
    _end_passes(data, name)
    click.echo(f"{name} has another password.", err=True)


@user.command("link", short_help="Make a link that signs in once.")
@click.argument("name", default=OPERATOR)
@settings_options("config", "data", "analyst")
@plainly
def link(name: str, **flags: str | None) -> None:
    """Print a link that signs in once, within 24 hours: as NAME, or without a name as an admin.

    Behind a proxy of yours, put what begins with # behind the address of your own.
    """
    settings = read(flags)
    if name != OPERATOR:
        Users(settings.data).known(name)
    click.echo(_link(settings.data, _address(settings), name))


@click.group()
def token() -> None:
    """Tokens for programs that ask: sent as  Authorization: Bearer TOKEN."""


@token.command("create", short_help="Make a token that reads properties.")
@click.argument("name")
@PROPERTIES
@click.option("--days", type=click.IntRange(1, 3660), metavar="N", help="Days it is valid. Default: until revoked.")
@settings_options("config", "data")
@plainly
def create_token(name: str, properties: tuple[str, ...], days: int | None, **flags: str | None) -> None:
    """Make a token called NAME that reads every property, or those named. It is shown once, and works at once."""
    settings = read(flags)
    _refuse_unknown(settings.registry, properties)
    click.echo(_tokens(settings.data).create(name, properties, days))
    click.echo("Keep it: it is not shown again. Send it as  Authorization: Bearer TOKEN", err=True)


@token.command("list", short_help="List the tokens.")
@settings_options("config", "data")
@plainly
def list_tokens(**flags: str | None) -> None:
    """List the tokens by name: properties, the day they were made, and how long they are valid."""
    for each in _tokens(read(flags).data).listed():
        until = "" if each.expires is None else f" until {datetime.fromtimestamp(each.expires, UTC):%Y-%m-%d %H:%MZ}"
        click.echo(f"{each.name}  {_seen(each.properties)}  since {each.created}{until}")


@token.command("revoke", short_help="Make a token stand for nothing.")
@click.argument("name")
@settings_options("config", "data")
@plainly
def revoke_token(name: str, **flags: str | None) -> None:
    """Make the token called NAME stand for nothing, at once."""
    _tokens(read(flags).data).revoke(name)
    click.echo(f"{name} is revoked.", err=True)


def first_link(data: Path, address: str) -> str | None:
    """A link that signs an admin in, as long as nobody may sign in and nobody ever did; None afterwards.

    One of an earlier start that nobody used is worth nothing from then on. A disk that takes no file is no reason
    not to start: None, too.
    """
    try:
        if Users(data).listed() or Passes.sessions(data, SystemClock()).began():
            return None
        Passes.codes(data, SystemClock()).end(OPERATOR)
        return _link(data, address, OPERATOR)
    except (OSError, Misconfigured):
        return None


def _link(data: Path, address: str, name: str) -> str:
    return f"http://{reachable(address)}/#code={Passes.codes(data, SystemClock()).create(name)}"


def _address(settings: Settings) -> str:
    """Where the collector of these settings listens, or would."""
    holder = holder_of(settings.data)
    return (holder.analyst if holder else "") or str(settings.analyst)


def _tokens(data: Path) -> Tokens:
    return Tokens(data, None, SystemClock())


def _end_passes(data: Path, name: str) -> None:
    for passes in (Passes.sessions(data, SystemClock()), Passes.codes(data, SystemClock())):
        passes.end(name)


def _refuse_unknown(registry: Registry, properties: tuple[str, ...]) -> None:
    for each in properties:
        if not registry.knows(each):
            raise Misconfigured(f"--property: must be the id of a registered site or product, not {quoted(each)}")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    asked = f"Password (at least {MIN_PASSWORD} characters)"
    password: str = click.prompt(asked, hide_input=True, confirmation_prompt="Again", err=True)
    return password


def _seen(properties: tuple[str, ...] | None) -> str:
    return "every property" if properties is None else ", ".join(properties)

"""`collector quarantine`: what an operator types about what could not be counted, and what is said back.

Each command asks the running collector (analyst/quarantine.py) with DATA/operator.token or, while none runs, does the
same to the files (offline.py). Both ways say the same, in the API's JSON; here it becomes sentences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any
from urllib.parse import quote

import click
import orjson

from collector.analyst.quarantine import BASE, listed
from collector.commands.common import Command, P, plainly, reach, read, said_at, settings_options
from collector.data_folder import DataFolder
from collector.errors import Misconfigured
from collector.offline import quarantine_offline, retry_offline
from collector.quarantine import NotKept, Quarantine
from collector.settings import Settings
from collector.tools.client import OPERATOR_TOKEN, token_of
from collector.tools.table import render_rows

HELP = """Look at what could not be counted, try it again, or give it up.

What the database refuses for good and what is damaged on disk is set aside in DATA/quarantine. Everything else is
counted meanwhile, and nothing is ever removed there by itself. collector_quarantine_files in /metrics says that there
is something; the log says what happened, with ClickHouse's error code.

\b
*.batches  Counts that the database refuses. Remove the cause, such as a constraint that
           somebody added or a ClickHouse that is too old, then `retry`: however often you
           try, and whatever is killed meanwhile, every event is counted once. One that is
           damaged on disk cannot be tried; `show` says so.
*.segment  Copy of received events, some of them damaged or of a kind that was not
           declared; all others are counted. It cannot be tried again: keep it while you
           look for what damaged it (a disk?), then `drop` it.

These commands work while the collector runs, with DATA/operator.token, and while it does not.
"""
NOTHING = "Nothing is set aside."
_FORMAT = click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", help="Default: table")


def _path(name: str) -> str:
    """A file's address below the quarantine's; of bytes that are no text, too, for files may be called anything."""
    return "/" + quote(name, safe="", errors="surrogateescape")


def _reaching(command: Command[P]) -> Command[P]:
    """The options that say which collector is meant."""
    return settings_options("config", "data", "analyst")(plainly(command))


@click.group(help=HELP)
def quarantine() -> None:
    """The group; what it says of itself is HELP."""


@quarantine.command("list", short_help="List what is set aside.")
@_FORMAT
@_reaching
def list_command(form: str, **flags: str | None) -> None:
    """List what is set aside: since when, how many events are not counted, how large it is, and why."""
    said = _say(flags, "", "GET", lambda kept: listed(kept, set()))
    if form == "json":
        _echo_json(said)
        return
    rows = [[each[name] for name in ("name", "since", "events", "size_bytes", "why")] for each in said["kept"]]
    click.echo(render_rows(("name", "since", "events", "bytes", "why"), rows) if rows else NOTHING, nl=not rows)
    if stopped := said["stopped"]:
        click.echo(
            "\nStopped, in DATA/frozen: the marker in the database tells other counts, or the file is damaged. The log"
            " says which;\nthe events wait until somebody has looked. It is tried again at the next start, and every"
            "\nminute where the disk did not give the file:"
        )
        click.echo("\n".join(f"  {name}" for name in stopped))


@quarantine.command(short_help="Show what one of them holds.")
@click.argument("name")
@_FORMAT
@_reaching
def show(name: str, form: str, **flags: str | None) -> None:
    """Show what NAME holds: of batches the day, events and rows of each; of a segment what is missing in it."""
    said = _say(flags, _path(name), "GET", lambda kept: kept.show(name))
    if form == "json":
        _echo_json(said)
        return
    click.echo(f"{said['name']}: {said['why']}")
    click.echo(f"since {said['since']}, {said['size_bytes']:,} bytes, {_events(said['events'])} not counted")
    if "batches" in said:
        rows = [(each["day"], each["events"], each["rows"], _state(each)) for each in said["batches"]]
        click.echo(f"of {len(said['segments']):,} segments\n")
        click.echo(render_rows(("day", "events", "rows", "on disk"), rows), nl=False)
    elif "held" in said:
        click.echo(
            f"of {_events(said['held'])} in the segment; read today: {_known(said['damaged'])} damaged,"
            f" {_known(said['undeclared'])} of a kind that is not declared"
        )


@quarantine.command(short_help="Try to load one of them again.")
@click.argument("name")
@settings_options("config", "data", "analyst", "clickhouse")
@plainly
def retry(name: str, **flags: str | None) -> None:
    """Try to load the batches NAME again; tells what became of them, exit status 1 if they are still not counted."""
    settings = read(flags)

    def offline(folder: DataFolder) -> dict[str, Any]:
        return asdict(retry_offline(settings, folder, name))

    said = _reached(settings, flags, f"{_path(name)}/retry", "POST", offline)
    if said["loaded"]:
        click.echo(f"Loaded: {_events(said['loaded'])}, each counted once.")
    if said["waiting"]:
        click.echo(
            "The database is away, or not as it must be. Waiting in DATA/frozen until it is back and the collector"
            f" runs: {_events(said['waiting'])}."
        )
    if said["refused"]:
        raise Misconfigured(f"still refused by the database, and set aside again: {_events(said['refused'])}")
    if said["stopped"]:
        raise Misconfigured(
            "the marker in the database tells other counts; stopped in DATA/frozen until somebody has looked (the log"
            f" says more): {_events(said['stopped'])}"
        )


@quarantine.command(short_help="Give one of them up for good.")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do it: nothing brings them back.")
@_reaching
def drop(name: str, *, yes: bool, **flags: str | None) -> None:
    """Delete NAME, and with it, for good, the events in it that are not counted."""
    path = _path(name)
    if not yes:
        said = _say(flags, path, "GET", lambda kept: kept.show(name))
        raise Misconfigured(f"this gives up {_given_up(said)}: say --yes if that is meant")
    said = _say(flags, path, "DELETE", lambda kept: asdict(kept.drop(name)))
    click.echo(f"Dropped: this gave up {_given_up(said)}.")


def _say(flags: Mapping[str, str | None], path: str, method: str, ask: Callable[[Quarantine], Any]) -> dict[str, Any]:
    """What the running collector says or, while none runs, what `ask` finds."""

    def offline(folder: DataFolder) -> dict[str, Any]:
        with quarantine_offline(folder) as kept:
            return orjson.loads(orjson.dumps(ask(kept)))  # type: ignore[no-any-return]  # the API's own JSON

    return _reached(read(dict(flags)), flags, path, method, offline)


def _reached(
    settings: Settings,
    flags: Mapping[str, str | None],
    path: str,
    method: str,
    offline: Callable[[DataFolder], dict[str, Any]],
) -> dict[str, Any]:
    given = bool(flags["analyst"])
    try:
        return reach(settings, analyst_given=given, online=partial(_online, settings, path, method), offline=offline)
    except NotKept as refused:
        raise Misconfigured(f"name: {refused}") from None


def _online(settings: Settings, path: str, method: str, address: str) -> dict[str, Any]:
    token = token_of(settings.data, None)
    if token is None:
        raise Misconfigured(f"there is no {settings.data / OPERATOR_TOKEN}: is the collector's --data another one?")
    said: dict[str, Any] = orjson.loads(said_at(address, token, BASE + path, method))
    return said


def _given_up(said: Mapping[str, Any]) -> str:
    if said["events"] is None:
        return (
            "for good what cannot be read any more; segments that may be in it are counted at the next start, a second"
            " time if they were counted before"
        )
    return f"{_events(said['events'])} for good"


def _events(events: int | None) -> str:
    return "nobody knows how many events" if events is None else f"{events:,} event{'' if events == 1 else 's'}"


def _known(events: int | None) -> str:
    return "nobody knows how many" if events is None else f"{events:,}"


def _state(batch: Mapping[str, Any]) -> str:
    return "damaged" if batch["damaged"] else "whole"


def _echo_json(said: Mapping[str, Any]) -> None:
    click.echo(orjson.dumps(said, option=orjson.OPT_INDENT_2))

"""`collector doctor`: what is looked at, how it stands with it, and what is to be done, line by line.

It asks the running collector (analyst/doctor.py) with DATA/operator.token or, while none runs, looks itself
(offline.py). The configuration is looked at here, as it lies on disk now: a running collector goes by an earlier one.
Whether events are received is asked here, too, at the public port, as who sends one meets it: the process that examines
the rest is another, and lives on when no worker does.
"""

from __future__ import annotations

import os
import sys
import textwrap
from http import HTTPStatus
from shutil import get_terminal_size

import click
import orjson

from collector.analyst.doctor import BASE
from collector.commands.common import reach, read, said_at, settings_options
from collector.data_folder import DataFolder, holder_of
from collector.doctor.line import STATES, Line, State, as_json, fail, from_json, ok, worst
from collector.errors import Misconfigured
from collector.named_files import check_settings
from collector.offline import examine_offline
from collector.settings import EXAMPLE, Settings
from collector.tools.client import OPERATOR_TOKEN, Unanswered, call, token_of
from collector.tools.import_log.hits import excluded_by

_COLOURS = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}
_NAME, _STATE = 16, 6
_READY_WITHIN_S = 5.0  # a worker says within one second how it stands
_REFUSED = {
    "no_room": ("the disk has no room", "Free some room, or see why the database is away."),
    "slow_disk": ("the disk does not answer", "Look at the health of DATA's disk, and at what else uses it."),
}
_HANGS = "Look at its log, and whether a worker hangs: kill -KILL that one, and another is started."


@click.command()
@click.option("--json", "as_machine", is_flag=True, help="Tell it as JSON.")
@settings_options("config", "data", "analyst", "geoip_db", "clickhouse")
def doctor(*, as_machine: bool, **flags: str | None) -> None:
    """Look at configuration, receiving, clock, disk, keys, spool, quarantine, database, sealing, limits, file modes.

    Each line is ok, warn or FAIL, and says what to do. Exit status: 0 all is well, 1 something is to be looked at, 2
    something is wrong. Works while the collector runs, and while it does not.
    """
    lines = _examined(flags)
    if as_machine:
        click.echo(orjson.dumps(as_json(lines), option=orjson.OPT_INDENT_2))
    else:
        for line in lines:
            click.echo(_shown(line))
    sys.exit(STATES.index(worst(lines)))


def _examined(flags: dict[str, str | None]) -> list[Line]:
    try:
        settings = read(flags)
        check_settings(settings)
        excluded_by(settings.text)
    except Misconfigured as wrong:
        todo = "No start or reload succeeds with it. collector check lists every problem."
        return [fail("configuration", str(wrong), todo)]
    first = ok("configuration", f"{settings.config or f'the built-in example, {EXAMPLE}'} is fine")
    if not settings.data.is_dir():
        return [first, fail("data", f"there is no {settings.data}", "Name it with --data; serve makes it.")]
    try:
        others = reach(
            settings,
            analyst_given=bool(flags["analyst"]),
            online=lambda address: _online(settings, address),
            offline=lambda folder: _offline(settings, folder),
        )
    except Misconfigured as wrong:
        others = [_unexamined(wrong)]
    return [first, *others]


def _online(settings: Settings, address: str) -> list[Line]:
    token = token_of(settings.data, None)
    if token is None:
        raise Misconfigured(f"there is no {settings.data / OPERATOR_TOKEN}: is the collector's --data another one?")
    holder = holder_of(settings.data)
    first = [_receiving(holder.public)] if holder and holder.public else []
    try:
        return [*first, *from_json(orjson.loads(said_at(address, token, BASE)))]
    except Misconfigured as wrong:
        return [*first, _unexamined(wrong)]


def _receiving(public: str) -> Line:
    """Whether an event that came now would be taken."""
    try:
        said = call(public, None, "/readyz", timeout_s=_READY_WITHIN_S)
    except Unanswered as error:
        return fail("receiving", f"no event is received: {error}", _HANGS)
    if said.status == HTTPStatus.OK:
        return ok("receiving", f"events are taken at {public}")
    try:
        why, todo = _REFUSED[orjson.loads(said.body)["reason"]]
    except (ValueError, KeyError, TypeError):
        why, todo = f"/readyz at {public} answers with status {said.status}", "Is it the collector that listens there?"
    return fail("receiving", f"events are refused: {why}", todo)


def _unexamined(wrong: Misconfigured) -> Line:
    return fail("collector", str(wrong), "Look at its log, and whether its process lives.")


def _offline(settings: Settings, folder: DataFolder) -> list[Line]:
    return [ok("collector", "none runs on this data"), *examine_offline(settings, folder)]


def _shown(line: Line) -> str:
    """The line: on a terminal in colour and folded to its width, else as one line."""
    told = f"{line.tells}. {line.todo}" if line.todo else line.tells
    head = f"{line.state:<{_STATE}}{line.name:<{_NAME}}"
    if not (sys.stdout.isatty() and "NO_COLOR" not in os.environ):
        return head + told
    width = max(get_terminal_size().columns - len(head), 2 * _NAME)
    folded = textwrap.wrap(told, width) or [""]
    state = click.style(f"{line.state:<{_STATE}}", fg=_COLOURS[line.state], bold=line.state is not State.OK)
    return "\n".join([state + head[_STATE:] + folded[0], *(" " * len(head) + more for more in folded[1:])])

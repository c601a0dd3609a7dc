"""What the commands share: options that are settings, errors in one sentence, and the way to what is kept.

What is kept is asked for at the running collector's analyst port or, while none runs, looked at here, holding the data
directory. The other modules here are made of this; it knows no command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, ParamSpec, TypeVar

import click

from collector.data_folder import DataFolder, hold, holder_of
from collector.errors import Misconfigured
from collector.log import configure, log
from collector.settings import Settings, read_settings
from collector.tools.client import Token, Unanswered, call

P = ParamSpec("P")
Command = Callable[P, None]
Result = TypeVar("Result")

_STREAMS = 3  # in, out, errors
ENDING_S = 3.0  # a collector that does not answer may be ending: its data is free soon


class NoAnswerError(Misconfigured):
    """Nobody answers where a collector should."""


def plainly(command: Command[P]) -> Command[P]:
    """Say an operator's mistake in one sentence instead of a stack of frames."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except Misconfigured as error:
            raise click.ClickException(str(error)) from None

    return run


def run_whole(command_line: Callable[[], None]) -> None:
    """Run a command line to its end, the last byte of what it prints included; what the system refuses is one sentence.

    Whoever started us may have closed the standard streams: a file opened in place of one would get what is said.
    """
    for stream in range(_STREAMS):
        try:
            os.fstat(stream)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    try:
        try:
            command_line()
        finally:
            if sys.stdout:
                sys.stdout.flush()
    except OSError as error:
        if sys.stdout:  # what it still holds has nowhere to go, and is tried again at the very end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        where = f"{click.format_filename(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        click.echo(f"Error: {where}{error.strerror or type(error).__name__}", err=True)
        sys.exit(1)


def settings_options(*names: str) -> Callable[[Command[P]], Command[P]]:
    def add(command: Command[P]) -> Command[P]:
        for name in reversed(names):
            meta, tells = OPTIONS[name]
            tells = f"{tells}  [env: COLLECTOR_{name.upper()}]"
            kind: dict[str, Any] = {"metavar": meta} if meta else {"flag_value": "true"}
            command = click.option(f"--{name.replace('_', '-')}", name, help=tells, **kind)(command)
        return command

    return add


# Read by settings.py, not by click: flag, environment, TOML and default go through one check with one kind of message.
OPTIONS = {
    "config": ("FILE", "Configuration (TOML): properties, links, proxies. Default: the built-in example."),
    "data": ("DIR", "Where everything that is kept lies; created if absent. Default: ./var"),
    "public": ("HOST:PORT", "Where events are received. Default: 127.0.0.1:8080"),
    "analyst": ("HOST:PORT", "Where analysts ask. Default: 127.0.0.1:8081"),
    "workers": ("N", "Processes that receive events. Default: the cores less one, at most 8."),
    "segment_s": ("SECONDS", "Age at which received events go on from the spool to the database. Default: 10"),
    "segment_mb": ("MB", "Size at which they go on at the latest. Default: 64"),
    "spool_mb": ("MB", "Most that may wait for the database on disk; beyond it events are refused. Default: 4096"),
    "live_fold_s": ("SECONDS", "How old an answer about callers of an unsealed day may be. Default: 3600"),
    "geoip_db": ("FILE", "Country database (mmdb) instead of the one that came along."),
    "log_level": ("LEVEL", "debug, info, warning, error or critical. Default: info"),
    "strict_memory": (
        "",  # a flag
        "Leave nothing of requests in freed memory, seconds after their answer (glibc; two fifths more CPU a request).",
    ),
    "clickhouse": (
        "URL",
        "ClickHouse server to use: http(s)://USER:PASSWORD@HOST:PORT/DATABASE. A flag shows it to others.",
    ),
}


def read(flags: dict[str, str | None]) -> Settings:
    settings = read_settings(flags, os.environ)
    configure(settings.log_level)
    for name in settings.unknown:
        log.warning("unknown environment variable", name=name)
    return settings


def reach(
    settings: Settings,
    *,
    analyst_given: bool,
    online: Callable[[str], Result],
    offline: Callable[[DataFolder], Result],
) -> Result:
    """What the collector that runs at an address says or, where none runs, what is found in its data."""
    if analyst_given or not (settings.data / "lock").exists():
        return online(str(settings.analyst))
    try:
        folder = hold(settings.data, patience_s=0.0)
    except Misconfigured:
        holder = holder_of(settings.data)
        if holder is None or not holder.analyst:
            raise  # it starts, or is another command that works there
        try:
            return online(holder.analyst)
        except NoAnswerError as no_answer:
            try:
                folder = hold(settings.data, patience_s=ENDING_S)
            except Misconfigured:
                raise no_answer from None
    try:
        return offline(folder)
    finally:
        folder.release()


def said_at(address: str, token: Token, path: str, method: str = "GET") -> bytes:
    """The body of the analyst port's good answer; raises Misconfigured, saying why, for any other."""
    try:
        reply = call(address, token.text, path, method)
    except Unanswered as error:
        raise NoAnswerError(f"{error}. Is the collector running? Start it with: collector serve") from None
    if reply.status == HTTPStatus.UNAUTHORIZED:
        raise Misconfigured(f"the token in {token.source} is not accepted at {address}")
    if reply.status == HTTPStatus.SERVICE_UNAVAILABLE:
        raise Misconfigured(f"the collector at {address} is busy, or its database is away: try again in a minute")
    if reply.status != HTTPStatus.OK:
        raise Misconfigured(reply.reason)
    return reply.body

"""`collector backup` and `collector restore`: what is sealed as one file, and a file as what is sealed.

A backup is asked of the running collector (analyst/backup.py) with DATA/operator.token or, while none runs, read from
its data (offline.py); every byte is checked here before it is written, and the file has its name only once it is whole
and on disk. A restore owns the data directory: no collector may run there.
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import click

from collector.analyst.backup import BASE
from collector.commands.common import plainly, reach, read, settings_options
from collector.data_folder import DataFolder, hold
from collector.disk import DISK
from collector.errors import Corrupt, Misconfigured
from collector.offline import backup_offline, restore_offline
from collector.settings import Settings
from collector.tools.client import OPERATOR_TOKEN, Unanswered, opened, token_of
from collector.warehouse.backup_file import MAGIC, Reader, Stream
from collector.warehouse.restoring import whole

FILE = click.Path(dir_okay=False, path_type=Path)
_PRIVATE = 0o600


@click.command()
@click.argument("file", type=FILE)
@settings_options("config", "data", "analyst", "clickhouse")
@plainly
def backup(file: Path, **flags: str | None) -> None:
    """Write everything that is sealed to FILE, to be restored on another machine; the collector may run meanwhile.

    Only counts are in it, as analysts see them: no day that is not sealed, no key, no id of an event, no user and no
    token. To answer as this machine does another one needs the configuration, too; users.json and tokens.json may be
    copied beside it.

    FILE is replaced once the new one is whole, checked and on disk.
    """
    settings = read(flags)
    rows = reach(
        settings,
        analyst_given=bool(flags["analyst"]),
        online=lambda address: _from_running(settings, address, file),
        offline=lambda folder: _from_data(settings, folder, file),
    )
    click.echo(f"{file}: {file.stat().st_size:,} bytes, {rows:,} rows. Keep it elsewhere.")
    if not rows:
        click.echo("No day is sealed yet, so nothing is in it: a day is, 48 hours after its end.", err=True)


@click.command()
@click.argument("file", type=FILE)
@settings_options("config", "data", "clickhouse")
@plainly
def restore(file: Path, **flags: str | None) -> None:
    """Bring FILE, made by `collector backup`, into a data directory (or a ClickHouse database) with nothing sealed.

    All of FILE is checked before anything is inserted. Killed at any time, the same command goes on; each row is there
    once. No collector may run on the data directory meanwhile. Afterwards every question about sealed days is answered
    as the machine answered it that made the backup, and days that this machine counts itself are sealed as ever.
    """
    settings = read(flags)
    if not file.is_file():
        raise Misconfigured(f"{file}: there is no such file")
    with _progress("Checked", file.stat().st_size) as tell:
        found = whole(file, tell)
    folder = hold(settings.data, patience_s=0.0)
    try:
        with _progress("Restored", found.rows) as tell:
            restore_offline(settings, folder, found, tell)
    finally:
        folder.release()
    click.echo(f"Restored {found.rows:,} rows of a backup made {found.header.made}.")


def _from_running(settings: Settings, address: str, file: Path) -> int:
    token = token_of(settings.data, None)
    if token is None:
        raise Misconfigured(f"there is no {settings.data / OPERATOR_TOKEN}: is the collector's --data another one?")
    try:
        with opened(address, token.text, BASE) as (status, body):
            if status != HTTPStatus.OK:
                raise Misconfigured(_refused(address, status))
            return _write(body, file)
    except Unanswered as error:
        raise Misconfigured(f"{error}. {file} is as it was; try again.") from None


def _from_data(settings: Settings, folder: DataFolder, file: Path) -> int:
    with backup_offline(settings, folder) as pieces:
        return _write(_Pieces(pieces), file)


def _write(stream: Stream, file: Path) -> int:
    """Write a backup as it comes, durably and under its name once it was found whole; how many rows it has."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    reader = Reader(stream)
    try:
        _remove_left(file)
        with _private(temporary) as target:
            target.write(MAGIC)
            frames = reader.frames()
            target.write(next(frames).raw)
            with _progress("Backed up", reader.header.rows if reader.header else 0) as tell:
                for frame in frames:
                    target.write(frame.raw)
                    tell(frame.head.get("rows", 0) if frame.kind == b"C" else 0)
            target.flush()
            DISK.sync(target.fileno())
        DISK.rename(temporary, file)
        DISK.sync_folder(file.parent)
    except Corrupt as broken:
        raise Misconfigured(f"the backup did not come whole ({broken}): {file} is as it was; try again") from None
    except OSError as error:
        raise Misconfigured(f"{file} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            DISK.unlink(temporary)
    return reader.rows


@contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    """A new file that only its owner reads, open for the block, and locked as long as this process lives."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def _remove_left(file: Path) -> None:
    """Remove what backups to this file left that were killed."""
    name = re.compile(rf"\.{re.escape(file.name)}\.[0-9]+")
    for left in filter(name.fullmatch, DISK.names(file.parent)):
        with suppress(OSError), DISK.owned(file.with_name(left), wait=False) as is_left:
            if is_left:
                DISK.unlink(file.with_name(left))


class _Pieces:
    """Pieces as a stream of bytes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def read(self, size: int, /) -> bytes:
        if not self._left:
            self._left = next(self._pieces, b"")
        taken, self._left = self._left[:size], self._left[size:]
        return taken


@contextmanager
def _progress(label: str, length: int) -> Iterator[Callable[[int], None]]:
    """A bar where somebody watches."""
    if not sys.stderr.isatty():
        yield lambda more: None
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield bar.update


def _refused(address: str, status: int) -> str:
    match status:
        case 503:
            return (
                f"the collector at {address} makes another backup, an import goes on, or its database is away: try"
                " again in a minute; or a restore did not end there (collector doctor)"
            )
        case 401 | 403:
            return f"the token in {OPERATOR_TOKEN} is not accepted at {address}"
    return f"the collector at {address} makes no backups (status {status}): is it an earlier version?"

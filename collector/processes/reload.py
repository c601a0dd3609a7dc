"""How a supervisor becomes its own successor: the same process, by exec, with everything it holds left open.

First a rehearsal: the same command line, from the code on disk, in a process that reads the configuration, makes what
a worker makes, and leaves the settings it found good; whatever is wrong costs a sentence and nothing else. The next
image runs under exactly these settings. State travels as JSON in a memfd, its number in a variable of the environment.
Called by supervisor.py, which decides when, and by commands/serve.py, which both of the new processes run first.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, MutableMapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from signal import SIGKILL
from typing import Any

import orjson

from collector.count import minutes
from collector.count.filter import FORM, SharedMemory
from collector.data_folder import DataFolder
from collector.errors import Misconfigured
from collector.processes.child import Place, first_of, spawn, watched
from collector.processes.held import Held, content_of, memory_file
from collector.settings import Settings

# Not COLLECTOR_*: these are no settings, and such a name would be warned about.
HANDED_ON = "HANDED_ON_BY_COLLECTOR"
REHEARSED = "REHEARSED_FOR_COLLECTOR"
REHEARSAL_PATIENCE_S = 30.0
LONGEST_REASON = 300
MEMORY_FORM = f"{FORM} {minutes.FORM}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownChild:
    """A running child, as the next image finds it again."""

    role: str
    worker: int
    pid: int
    leaving: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOn:
    """What one image of the supervisor tells the next: numbers of open files, and who runs.

    data, public and analyst are as configured at the start; they are what the open files stand for, so they must stay
    as they are. settings_fd holds the settings found good in the rehearsal. memory_form is how both files of memory are
    laid out: a version that does it in another way cannot go on in them.
    """

    node: str
    data: str
    public: str
    analyst: str
    public_fd: int
    analyst_fd: int
    memory_fd: int
    minutes_fd: int
    lock_fd: int
    alive_read_fd: int
    alive_write_fd: int
    settings_fd: int
    memory_form: str
    children: tuple[KnownChild, ...] = ()

    @classmethod
    def from_fd(cls, fd: int) -> HandedOn:
        """Read what to_fd wrote; raises Misconfigured if another version wrote it in another way."""
        try:
            known: dict[str, Any] = orjson.loads(content_of(fd))
            handed = cls(**known | {"children": tuple(KnownChild(**child) for child in known["children"])})
            if handed.memory_form != MEMORY_FORM:
                raise ValueError("another form")  # noqa: TRY301 - whatever is wrong here means the same
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise Misconfigured("this version cannot take over from the one that runs: restart it") from error
        finally:
            os.close(fd)
        return handed

    def to_fd(self) -> int:
        """The number of a file of memory that says all of it."""
        return memory_file("handed-on", orjson.dumps(asdict(self)))

    @property
    def fds(self) -> tuple[int, ...]:
        """The open files that the next image needs."""
        files = (self.public_fd, self.analyst_fd, self.memory_fd, self.minutes_fd, self.lock_fd, self.settings_fd)
        return (*files, self.alive_read_fd, self.alive_write_fd)

    def settings(self) -> Settings:
        """The settings found good in the rehearsal."""
        return Settings.from_json(content_of(self.settings_fd))

    def held(self) -> Held:
        """The same things as before, under the new settings; no process started from now on gets them unasked."""
        _inherit(self.fds, inheritable=False)
        minutes.give_places(self.minutes_fd, self.settings().registry.properties)
        return Held(
            folder=DataFolder.taken_over(Path(self.data), self.lock_fd),
            node=self.node,
            memory=SharedMemory(self.memory_fd),
            minutes_fd=self.minutes_fd,
            public=socket.socket(fileno=self.public_fd),
            analyst=socket.socket(fileno=self.analyst_fd),
            settings_fd=self.settings_fd,
            alive_read_fd=self.alive_read_fd,
            alive_write_fd=self.alive_write_fd,
        )


def handed_on(environ: MutableMapping[str, str]) -> HandedOn | None:
    """What the image before left to this process; None at a cold start."""
    number = environ.pop(HANDED_ON, None)
    return HandedOn.from_fd(int(number)) if number else None


def rehearsed_for(environ: MutableMapping[str, str]) -> Callable[[Settings], None] | None:
    """In a rehearsal: what to call with the settings once nothing is wrong with them. Raises Misconfigured."""
    number = environ.pop(REHEARSED, None)
    if not number:
        return None
    running = HandedOn.from_fd(int(number))

    def approve(settings: Settings) -> None:
        for name in ("data", "public", "analyst"):
            if str(getattr(settings, name)) != getattr(running, name):
                raise Misconfigured(f"{name}: a change of it needs a restart")
        os.write(running.settings_fd, settings.to_json())

    return approve


async def rehearse(held: Held, settings: Settings, stopping: asyncio.Event) -> HandedOn:
    """What would be handed on, with the new settings; raises Misconfigured with the reason why it must not be."""
    handed = HandedOn(
        node=held.node,
        data=str(settings.data),
        public=str(settings.public),
        analyst=str(settings.analyst),
        public_fd=held.public.fileno(),
        analyst_fd=held.analyst.fileno(),
        memory_fd=held.memory.fd,
        minutes_fd=held.minutes_fd,
        lock_fd=held.folder.lock_fd,
        alive_read_fd=held.alive_read_fd,
        alive_write_fd=held.alive_write_fd,
        settings_fd=memory_file("settings"),
        memory_form=MEMORY_FORM,
    )
    handed_fd, said_fd = handed.to_fd(), memory_file("said")
    try:
        reason = await _rehearse(handed_fd, handed.settings_fd, said_fd, stopping)
    finally:
        os.close(handed_fd)
        os.close(said_fd)
    if reason:
        drop(handed)
        raise Misconfigured(reason)
    return handed


async def _rehearse(handed_fd: int, settings_fd: int, said_fd: int, stopping: asyncio.Event) -> str:
    """Why the command line as it would run now must not; nothing if it may."""
    environ = dict(os.environ) | {REHEARSED: str(handed_fd)}
    try:
        process = spawn(_command(), environ, (handed_fd, settings_fd), said_fd=said_fd)
        child = watched(Place(role="rehearsal", worker=0), process)
    except OSError as error:
        return f"the rehearsal cannot be started: {error.strerror}"
    try:
        if not await first_of(child.ended, stopping, timeout_s=REHEARSAL_PATIENCE_S):
            return f"the rehearsal did not end within {REHEARSAL_PATIENCE_S:g} s"
    finally:
        child.send(SIGKILL)
        await child.ended.wait()
    if child.status == 0:
        return ""
    said = content_of(said_fd).decode("utf-8", "replace").strip()
    return _reason(said)[:LONGEST_REASON] if said else f"the rehearsal ended with {child.status}"


def _reason(said: str) -> str:
    """What a command says it fails for, in a line; of anything else the last line."""
    _, found, reason = said.rpartition("Error: ")
    lines = reason.splitlines() if found else said.splitlines()[-1:]
    return "; ".join(line.strip() for line in lines)


def become(handed: HandedOn, children: tuple[KnownChild, ...]) -> None:
    """Go on as the next image; returns only by OSError, with everything as it was."""
    handed_fd = replace(handed, children=children).to_fd()
    fds = (*handed.fds, handed_fd)
    try:
        _inherit(fds, inheritable=True)
        os.execve(sys.executable, _command(), dict(os.environ) | {HANDED_ON: str(handed_fd)})  # noqa: S606 - ourselves
    finally:
        _inherit(fds, inheritable=False)
        os.close(handed_fd)


def drop(handed: HandedOn) -> None:
    """Let go of what was prepared for a next image that does not come."""
    os.close(handed.settings_fd)


def _command() -> list[str]:
    """How this process was started, flags of the interpreter and of the command included."""
    return [sys.executable, *sys.orig_argv[1:]]


def _inherit(fds: tuple[int, ...], *, inheritable: bool) -> None:
    for fd in fds:
        os.set_inheritable(fd, inheritable)

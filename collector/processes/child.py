"""One process the supervisor keeps: started by exec, or found again after the supervisor's own exec.

A pidfd tells when it ended, so that a child of an earlier image of the supervisor is waited for like any other, and
no thread is needed. A child says that it is ready by a byte on a pipe it was handed. Nothing here decides when one is
started or ended: supervisor.py does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from collector.processes.inherited import Inherited
from collector.settings import PREFIX

UNKNOWN_STATUS = 255  # of a child whose end somebody else was told


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place for a process: the first worker, the second, ..., the warehouse."""

    role: str
    worker: int

    @property
    def name(self) -> str:
        """How the log calls it."""
        return f"worker {self.worker}" if self.role == "worker" else self.role


class Child:
    """A process of ours until it is reaped.

    adopted  an earlier image of the supervisor started it, under the settings of then
    leaving  it was told to end, because another takes its place or its place is gone
    status   its exit status once `ended` is set, negative for a signal
    """

    def __init__(
        self, place: Place, pid: int, *, process: subprocess.Popen[bytes] | None = None, ready_fd: int | None = None
    ) -> None:
        self.place = place
        self.pid = pid
        self.adopted = process is None
        self.leaving = False
        self.status: int | None = None
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self._process = process
        self._ready_fd = ready_fd
        self._pidfd = os.pidfd_open(pid)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._pidfd, self._reap)
        if ready_fd is not None:
            self._loop.add_reader(ready_fd, self._hear, ready_fd)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, unless it ended."""
        if self.status is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def _hear(self, ready_fd: int) -> None:
        if os.read(ready_fd, 1):
            self.ready.set()
        self._hear_no_more()

    def _hear_no_more(self) -> None:
        if self._ready_fd is not None:
            self._loop.remove_reader(self._ready_fd)
            os.close(self._ready_fd)
            self._ready_fd = None

    def _reap(self) -> None:
        try:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:
            self.status = UNKNOWN_STATUS
        if self._process:
            self._process.returncode = self.status  # else Popen would wait for it, too
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._hear_no_more()
        self.ended.set()


def start_child(place: Place, inherited: Inherited, environ: dict[str, str]) -> Child:
    """Start a process in a place and hand it its share; raises OSError if this machine has no room for one.

    Its environment is ours and `environ`, without settings of ours: it has them in a memfd, and a token is in them.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    ready_fd, told_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    share = inherited.with_ready(told_fd)
    command = (sys.executable, "-m", "collector", "child", place.role, share.to_json())
    try:
        return watched(place, spawn(command, kept | environ, share.fds), ready_fd)
    except OSError:
        os.close(ready_fd)
        raise
    finally:
        os.close(told_fd)


def watched(place: Place, process: subprocess.Popen[bytes], ready_fd: int | None = None) -> Child:
    """Take note of a process just started; raises OSError if it cannot be watched, and then there is none."""
    try:
        return Child(place, process.pid, process=process, ready_fd=ready_fd)
    except OSError:
        process.kill()
        process.wait()
        raise


def spawn(
    command: Sequence[str], environ: dict[str, str], pass_fds: Sequence[int], *, said_fd: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that never hears SIGHUP; what it says goes where ours goes, or all of it to `said_fd`.

    The hang-up of a terminal, or `kill -HUP` of the group, reaches children, too, and is the supervisor's matter.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and command line, nothing from outside
            command, stdin=subprocess.DEVNULL, stdout=said_fd, stderr=said_fd, env=environ, pass_fds=pass_fds
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def first_of(*events: asyncio.Event, timeout_s: float | None = None) -> bool:
    """Wait until one of these is set; False if none was in time."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        done, _ = await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return bool(done)

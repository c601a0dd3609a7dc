"""What a child process is given by the supervisor: numbers of open files, never a secret.

It travels as one JSON in the child's arguments, which every user of the machine can read; so the settings, which hold
the analyst token, lie in a memfd whose number is told. The supervisor makes it, `collector child` reads it and hands
it to a worker or the warehouse.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

import orjson

from collector.settings import Settings

NONE = -1  # in the place of an open file
LAST_BREATH_S = 0.7  # a child outlives its supervisor by less than a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """One child's share.

    worker    0, 1, ... of an ingest worker; 0 for the warehouse
    node      16 hex digits that name this machine's collector
    epoch     number of this life of the shared memory
    settings_fd, listener_fd (bound and listening), memory_fd (count/filter.py; of a worker only), minutes_fd
    (count/minutes.py), alive_fd (ends when the supervisor does), lock_fd (held so that a new supervisor waits for this
    child), ready_fd (takes the byte that says that the child is ready; none until there is one) are open in the child
    under these numbers
    """

    worker: int
    node: str
    epoch: int
    settings_fd: int
    listener_fd: int
    memory_fd: int
    minutes_fd: int
    alive_fd: int
    lock_fd: int
    ready_fd: int = NONE

    @classmethod
    def from_json(cls, text: str) -> Inherited:
        """Read what to_json wrote, and keep the open files from any grandchild."""
        inherited = cls(**orjson.loads(text))
        for fd in inherited.fds:
            os.set_inheritable(fd, False)  # noqa: FBT003 - takes no keywords
        return inherited

    def to_json(self) -> str:
        """One line for the child's arguments."""
        return orjson.dumps(asdict(self)).decode()

    @property
    def fds(self) -> tuple[int, ...]:
        """The numbers of the open files, to be passed on at exec."""
        files = (self.settings_fd, self.listener_fd, self.memory_fd, self.minutes_fd, self.alive_fd, self.lock_fd)
        return tuple(fd for fd in (*files, self.ready_fd) if fd != NONE)

    def with_ready(self, ready_fd: int) -> Inherited:
        """The share of the one child that speaks through this pipe."""
        return replace(self, ready_fd=ready_fd)

    def say_ready(self) -> None:
        """Tell the supervisor that this process can take over its place at once. Call it once."""
        with suppress(OSError):  # it was replaced by its next image meanwhile, and does not listen any more
            os.write(self.ready_fd, b"1")
        os.close(self.ready_fd)

    def settings(self) -> Settings:
        """The settings as the supervisor read them, whatever became of the files since."""
        return Settings.from_json(os.pread(self.settings_fd, os.fstat(self.settings_fd).st_size, 0))

    def listener(self) -> socket.socket:
        """The listening socket of this child's port; closing it does not close the port."""
        listener = socket.socket(fileno=os.dup(self.listener_fd))
        listener.settimeout(0)
        return listener

    def end_with_supervisor(self) -> None:
        """End this process within a second of the supervisor's end, however that came: politely first, then at once."""

        def watch() -> None:
            os.read(self.alive_fd, 1)
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(LAST_BREATH_S)
            os._exit(1)

        threading.Thread(target=watch, name="supervisor alive", daemon=True).start()

"""What the supervisor holds and no child's end may take away.

The data directory's lock, both listening sockets, the epoch's memory and that of the last minutes, the pipe whose end
tells children that their supervisor is gone, and the settings as children get them. Taken once, at a cold start; a
reload hands all of it on as open files (reload.py). Nothing here starts a process.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from dataclasses import dataclass

from collector.clock import Clock
from collector.count.filter import SharedMemory
from collector.count.minutes import make_minutes
from collector.data_folder import DataFolder
from collector.errors import Misconfigured
from collector.processes.inherited import NONE, Inherited
from collector.setting_values import Address
from collector.settings import Settings

BACKLOG = 2048
BIND_PATIENCE_S = 1.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Everything that must survive a child, and the supervisor's own exec."""

    folder: DataFolder
    node: str
    memory: SharedMemory
    minutes_fd: int
    public: socket.socket
    analyst: socket.socket
    settings_fd: int
    alive_read_fd: int
    alive_write_fd: int

    def share(self, role: str, worker: int) -> Inherited:
        """What a child of that role is handed. Never the pipe's write end: it must close with the supervisor.

        Nor does the warehouse get the epoch's memory: it has no use for a key.
        """
        return Inherited(
            worker=worker,
            node=self.node,
            epoch=self.memory.epoch,
            settings_fd=self.settings_fd,
            listener_fd=(self.public if role == "worker" else self.analyst).fileno(),
            memory_fd=self.memory.fd if role == "worker" else NONE,
            minutes_fd=self.minutes_fd,
            alive_fd=self.alive_read_fd,
            lock_fd=self.folder.lock_fd,
        )

    def addresses(self) -> tuple[str, str]:
        """Where the public and the analyst port really listen."""
        return _address_of(self.public), _address_of(self.analyst)


def take(settings: Settings, folder: DataFolder, clock: Clock) -> Held:
    """Bind both ports and begin an epoch in a directory that is held; raises Misconfigured."""
    public, analyst = _bind("public", settings.public), _bind("analyst", settings.analyst)
    try:
        node, epoch = folder.begin_epoch()
        folder.empty()
    except OSError as error:
        raise Misconfigured(f"the data directory {folder.path} cannot be used: {error.strerror}") from error
    memory = SharedMemory.create(epoch)
    memory.tend(clock.now())
    alive_read_fd, alive_write_fd = os.pipe()
    return Held(
        folder=folder,
        node=node,
        memory=memory,
        minutes_fd=make_minutes(settings.registry.properties),
        public=public,
        analyst=analyst,
        settings_fd=memory_file("settings", settings.to_json()),
        alive_read_fd=alive_read_fd,
        alive_write_fd=alive_write_fd,
    )


def memory_file(name: str, content: bytes = b"") -> int:
    """An open file that lies in memory only."""
    fd = os.memfd_create(f"collector-{name}")
    os.write(fd, content)
    return fd


def content_of(fd: int) -> bytes:
    """All that is in a file of memory."""
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _bind(port: str, address: Address) -> socket.socket:
    """Listen there; an address in use is waited for a moment, for a process lets go of its lock before its sockets."""
    give_up = time.monotonic() + BIND_PATIENCE_S
    while True:
        try:
            return _listening(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= give_up:
                raise Misconfigured(f"--{port} {address} cannot be used: {error.strerror}") from error
        time.sleep(_POLL_S)


def _listening(address: Address) -> socket.socket:
    family, kind, protocol, _, place = socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.settimeout(0)
    return listener


def _address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return str(Address(host, port))

"""Raw keep-alive connections to a collector, each known by the worker that holds it, so that a resend can meet another.

The kernel says who holds a connection: /proc/net/tcp has the inode of its far end, /proc/PID/fd who has that open.
"""

from __future__ import annotations

import os
import random
import socket
import struct
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from collector.tools.wire import connect, hear, request
from tests.stack import Stack

MOST_TRIES = 200
LONGEST_IDLE_S = 5.0  # the collector closes idle connections after 15 s
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time: close() resets instead of saying goodbye
_HEALTH = request(method="GET", path="/healthz")


class Connection(NamedTuple):
    """An open connection and the pid of the worker that accepted it."""

    socket: socket.socket
    worker: int

    def reset(self) -> None:
        """End it as a broken network does: what has arrived unread is thrown away."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.socket.close()


class Connections:
    """Open connections to the public port of a stack that nothing is killed of."""

    def __init__(self, stack: Stack, chance: random.Random) -> None:
        self._address = stack.public
        self._workers = stack.children("worker")
        self._chance = chance
        self._idle: defaultdict[int, list[tuple[float, socket.socket]]] = defaultdict(list)

    def take(self, other_than: int | None = None) -> Connection:
        """An idle connection, or a new one, to a worker drawn by chance, but not to that one."""
        worker = self._chance.choice([pid for pid in self._workers if pid != other_than])
        for _ in range(MOST_TRIES):
            while self._idle[worker]:
                since, idle = self._idle[worker].pop()
                if time.monotonic() - since < LONGEST_IDLE_S:
                    return Connection(idle, worker)
                idle.close()
            self._open()
        raise AssertionError("one worker takes every connection")

    def give_back(self, connection: Connection) -> None:
        """Keep it for another request: its answer was read."""
        self._idle[connection.worker].append((time.monotonic(), connection.socket))

    def close(self) -> None:
        """Close what is idle."""
        for sockets in self._idle.values():
            for _, idle in sockets:
                idle.close()
            sockets.clear()

    def _open(self) -> None:
        opened = connect(self._address)
        opened.sendall(_HEALTH)  # answered means accepted: now it belongs to a worker
        assert hear(opened).status == 200
        self.give_back(Connection(opened, self._holder(opened)))

    def _holder(self, opened: socket.socket) -> int:
        inode = _inode(far=opened.getpeername(), near=opened.getsockname())
        for worker in self._workers:
            for file in Path(f"/proc/{worker}/fd").iterdir():
                try:
                    if os.readlink(file) == f"socket:[{inode}]":  # noqa: PTH115 - what it names is no path
                        return worker
                except FileNotFoundError:
                    continue
        raise AssertionError("no worker holds an accepted connection")


def _inode(*, far: tuple[str, int], near: tuple[str, int]) -> str:
    """Of the socket at the far end of a connection on this machine."""
    ends = _hex(far), _hex(near)
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if (words[1], words[2]) == ends:
            return words[9]
    raise AssertionError("the kernel does not know an open connection")


def _hex(address: tuple[str, int]) -> str:
    """An IPv4 address as /proc/net/tcp writes it."""
    number = int.from_bytes(socket.inet_aton(address[0]), "little")
    return f"{number:08X}:{address[1]:04X}"

"""Keeps the processes of one machine running: N ingest workers and one warehouse process.

It owns what must outlive any of them: the data directory's lock, both listening sockets and the shared memory with
the day keys. It starts children by exec and hands these down as open files; a child that ends is replaced, and its
port waits meanwhile. It never imports the engine and never handles a request. Children end when it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass

from collector.clock import Clock
from collector.count.filter import SharedMemory
from collector.data_folder import DataFolder, hold
from collector.errors import Misconfigured
from collector.inherited import Inherited
from collector.log import log, loop_exception_handler, place_of
from collector.metrics import FOLDER_VARIABLE
from collector.settings import Address, Settings

BACKLOG = 2048
TEND_EVERY_S = 30.0
STOP_PATIENCE_S = 9.0
# A child that lived longer than this is replaced at once, a shorter-lived one after a wait that doubles.
STABLE_S = 2.0
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0
# An exit with 0 or by SIGTERM is mostly the whole group being told to end: wait that long for our own signal.
OWN_SIGNAL_S = 0.05
EXIT_MISCONFIGURED = 78  # EX_CONFIG of sysexits.h: another start would fail the same way


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Everything that must survive a child, and may one day survive the supervisor's own re-exec."""

    folder: DataFolder
    node: str
    memory: SharedMemory
    public: socket.socket
    analyst: socket.socket
    settings_fd: int
    alive_read_fd: int
    alive_write_fd: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One place for a process: the first worker, the second, ..., the warehouse."""

    role: str
    worker: int
    listener: socket.socket

    @property
    def name(self) -> str:
        """How the log calls it."""
        return f"worker {self.worker}" if self.role == "worker" else self.role


class Supervisor:
    """Runs the places of one `serve` until it is told to stop."""

    def __init__(self, settings: Settings, held: Held, clock: Clock) -> None:
        self._settings = settings
        self._held = held
        self._clock = clock
        self._stopping = asyncio.Event()
        self._running: dict[Place, asyncio.subprocess.Process] = {}
        self._failed = False

    async def run(self) -> bool:
        """Keep every place filled; returns after SIGTERM or SIGINT, False if a child could not start as configured."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(loop_exception_handler)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        held = self._held
        places = [Place(role="warehouse", worker=0, listener=held.analyst)]
        places += [Place(role="worker", worker=i, listener=held.public) for i in range(self._settings.workers)]
        async with asyncio.TaskGroup() as tasks:
            keepers = [tasks.create_task(self._keep(place)) for place in places]
            tasks.create_task(self._tend())
            await self._stopping.wait()
            log.info("stopping")
            for child in self._running.values():
                _terminate(child)
            await asyncio.wait(keepers, timeout=STOP_PATIENCE_S)
            for place, child in self._running.items():
                log.warning("process did not end in time", process=place.name, pid=child.pid)
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
        if not self._failed:
            log.info("stopped")
        return not self._failed

    async def _keep(self, place: Place) -> None:
        """Fill one place until told to stop."""
        wait_s = 0.0
        first = True
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            status = await self._fill(place)
            if status in (0, -signal.SIGTERM):
                await self._pause(OWN_SIGNAL_S)
            if status == EXIT_MISCONFIGURED and first:
                self._failed = True
                self._stopping.set()
            if self._stopping.is_set():
                return
            short_lived = not first and loop.time() - began < STABLE_S
            wait_s = min(max(2 * wait_s, FIRST_WAIT_S), LONGEST_WAIT_S) if short_lived else 0.0
            first = False
            log.warning("process ended", process=place.name, status=_told(status), again_in_s=wait_s)
            await self._pause(wait_s)

    async def _fill(self, place: Place) -> int:
        """Run one process in a place, and return its exit status once it ended."""
        try:
            child = self._running[place] = await self._start(place)
        except OSError as error:  # no memory or no process left on this machine: as if it had died at once
            log.error("process cannot be started", process=place.name, **place_of(error))
            return os.EX_OSERR
        log.info("process started", process=place.name, pid=child.pid)
        if self._stopping.is_set():
            _terminate(child)
        try:
            return await child.wait()
        finally:
            del self._running[place]

    async def _start(self, place: Place) -> asyncio.subprocess.Process:
        held = self._held
        inherited = Inherited(
            worker=place.worker,
            node=held.node,
            epoch=held.memory.epoch,
            settings_fd=held.settings_fd,
            listener_fd=place.listener.fileno(),
            memory_fd=held.memory.fd,
            alive_fd=held.alive_read_fd,
            lock_fd=held.folder.lock_fd,
        )
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "collector", "child", place.role, inherited.to_json()),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=inherited.fds,
            env=_environment() | {"TMPDIR": str(held.folder.tmp), FOLDER_VARIABLE: str(held.folder.metrics)},
        )

    async def _tend(self) -> None:
        while not self._stopping.is_set():
            await self._pause(TEND_EVERY_S)
            self._held.memory.tend(self._clock.now())

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until told to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return


def serve(settings: Settings, clock: Clock, announce: Callable[[str, str], None]) -> bool:
    """Run the collector until SIGTERM or SIGINT; raises Misconfigured. True after an orderly end.

    `announce` is called with the public and the analyst address once both ports are bound.
    """
    _raise_file_limit()
    folder = hold(settings.data)
    try:
        held = _take(settings, folder, clock)
        with held.public, held.analyst:
            public, analyst = _address_of(held.public), _address_of(held.analyst)
            folder.listening(public, analyst)
            announce(public, analyst)
            return asyncio.run(_run(settings, held, clock))
    finally:
        folder.release()


async def _run(settings: Settings, held: Held, clock: Clock) -> bool:
    return await Supervisor(settings, held, clock).run()


def _take(settings: Settings, folder: DataFolder, clock: Clock) -> Held:
    public, analyst = _bind("public", settings.public), _bind("analyst", settings.analyst)
    try:
        node, epoch = folder.begin_epoch()
        folder.empty()
    except OSError as error:
        raise Misconfigured(f"the data directory {folder.path} cannot be used: {error.strerror}") from error
    memory = SharedMemory.create(epoch)
    memory.tend(clock.now())
    settings_fd = os.memfd_create("collector-settings")
    os.write(settings_fd, settings.to_json())
    alive_read_fd, alive_write_fd = os.pipe()
    return Held(
        folder=folder,
        node=node,
        memory=memory,
        public=public,
        analyst=analyst,
        settings_fd=settings_fd,
        alive_read_fd=alive_read_fd,
        alive_write_fd=alive_write_fd,
    )


def _bind(port: str, address: Address) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError as error:
        raise Misconfigured(f"--{port} {address} cannot be used: {error.strerror}") from error
    listener.settimeout(0)
    return listener


def _address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return str(Address(host, port))


def _environment() -> dict[str, str]:
    """What children inherit: without settings of ours, for they have them in a memfd, and a token is among them."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COLLECTOR_")}


def _raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _terminate(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):  # it ended, and its place does not know yet
        child.terminate()


def _told(status: int) -> str:
    """An exit status in words: `exit 1` or `signal 9`."""
    return f"exit {status}" if status >= 0 else f"signal {-status}"

"""Who runs: every child of this supervisor, which of them serves in which place, and who is about to take one over.

It starts, finds again, and ends processes; when, is supervisor.py's decision. A child stays in `children` until it is
reaped, so that nobody is forgotten at the end or at an exec.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable, Mapping
from contextlib import suppress

from collector.log import log, place_of
from collector.metric_files import FOLDER_VARIABLE
from collector.processes.child import Child, Place, first_of, start_child
from collector.processes.held import Held
from collector.processes.reload import KnownChild

STOP_PATIENCE_S = 9.0


class Crew:
    """The processes of one `serve`.

    serving     who fills a place
    successors  who will, once it is ready
    worker_environ  what the environment of a worker has more
    """

    def __init__(self, held: Held, worker_environ: Mapping[str, str]) -> None:
        self._held = held
        self._worker_environ = worker_environ
        self.children: set[Child] = set()
        self.serving: dict[Place, Child] = {}
        self.successors: dict[Place, Child] = {}

    def adopt(self, known: Iterable[KnownChild], places: Iterable[Place]) -> list[Child]:
        """Find the children of the image before again; returns those that have no place any more, to be retired."""
        left_over = []
        for each in known:
            child = Child(Place(role=each.role, worker=each.worker), each.pid)
            self.children.add(child)
            if each.leaving or child.place not in places:
                left_over.append(child)
            else:
                self.serving[child.place] = child
        return left_over

    def known(self) -> tuple[KnownChild, ...]:
        """Everybody, for the next image. Who is only about to take a place over is told to end instead."""
        for child in self.successors.values():
            child.leaving = True
            child.send(signal.SIGTERM)
        return tuple(
            KnownChild(role=each.place.role, worker=each.place.worker, pid=each.pid, leaving=each.leaving)
            for each in self.children
            if not each.ended.is_set()
        )

    def start(self, place: Place) -> Child | None:
        """Start a process in a place; None, and a line in the log, if this machine has no room for one."""
        folder = self._held.folder
        environ = {"TMPDIR": str(folder.tmp), FOLDER_VARIABLE: str(folder.metrics)}
        if place.role == "worker":
            environ |= self._worker_environ
        try:
            child = start_child(place, self._held.share(place.role, place.worker), environ)
        except OSError as error:
            log.error("process cannot be started", process=place.name, **place_of(error))
            return None
        self.children.add(child)
        log.info("process started", process=place.name, pid=child.pid)
        return child

    def ended(self, child: Child) -> bool:
        """Take note of the end of who served; whether its place is filled again, or to be filled without more ado."""
        self.children.discard(child)
        if self.serving[child.place] is not child:
            return True
        del self.serving[child.place]
        if successor := self.successors.pop(child.place, None):
            self.serving[child.place] = successor
            return True
        return child.leaving

    async def retire(self, child: Child, number: signal.Signals = signal.SIGTERM) -> None:
        """End one process, at the latest after a while."""
        child.leaving = True
        child.send(number)
        if not await first_of(child.ended, timeout_s=STOP_PATIENCE_S):
            _kill(child)
            await child.ended.wait()
        self.children.discard(child)

    async def end_all(self) -> None:
        """End every process, at the latest after a while."""
        children = list(self.children)
        for child in children:
            child.send(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_PATIENCE_S):
                for child in children:
                    await child.ended.wait()
        for child in children:
            if not child.ended.is_set():
                _kill(child)


def _kill(child: Child) -> None:
    log.warning("process did not end in time", process=child.place.name, pid=child.pid)
    child.send(signal.SIGKILL)

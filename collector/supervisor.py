"""Keeps the processes of one machine running: N ingest workers and one warehouse process.

It fills every place, replaces a child that ends, and replaces all of them one by one after a reload (SIGHUP), a worker
only once its successor is ready. Who runs (crew), what outlives them (held) and the exec (reload) lie in processes/.
It never imports the engine and never handles a request. Children end when it does.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Callable, Iterable

from collector.clock import Clock
from collector.count.filter import DAY_S
from collector.data_folder import hold
from collector.errors import Misconfigured
from collector.forgetting import STRICT_ENVIRON
from collector.log import log, loop_exception_handler, place_of
from collector.processes.child import Child, Place, first_of
from collector.processes.crew import Crew
from collector.processes.held import Held, take
from collector.processes.reload import HandedOn, KnownChild, become, drop, rehearse
from collector.settings import Settings

TEND_EVERY_S = 30.0
READY_PATIENCE_S = 20.0
# A child that lived longer than this is replaced at once, a shorter-lived one after a wait that doubles.
STABLE_S = 2.0
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0
# An exit with 0 or by SIGTERM is mostly the whole group being told to end: wait that long for our own signal.
OWN_SIGNAL_S = 0.05
# A signal that came before the mask is heard by the loop within a pass or two.
HEARD_S = 0.02
LOOK_EVERY_S = 0.02
EXIT_MISCONFIGURED = 78  # EX_CONFIG of sysexits.h: another start would fail the same way
SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


class Supervisor:
    """Runs the places of one `serve` until it is told to stop, or becomes its next image."""

    def __init__(self, settings: Settings, held: Held, clock: Clock) -> None:
        self._settings = settings
        self._held = held
        self._clock = clock
        self._crew = Crew(held, STRICT_ENVIRON if settings.strict_memory else {})
        self._stopping = asyncio.Event()
        self._hung_up = asyncio.Event()
        self._settled = asyncio.Event()
        self._failed = False

    async def run(self, known: Iterable[KnownChild] | None) -> bool:
        """Keep every place filled; returns after SIGTERM or SIGINT, False if a child could not start as configured.

        `known` is who already runs; None at a cold start.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(loop_exception_handler)
        loop.add_signal_handler(signal.SIGTERM, self._stopping.set)
        loop.add_signal_handler(signal.SIGINT, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up.set)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        workers = [Place(role="worker", worker=i) for i in range(self._settings.workers)]
        places = [Place(role="warehouse", worker=0), *workers]
        left_over = self._crew.adopt(known or (), places)
        if len(workers) > 1 or any(child.place.role == "worker" for child in left_over):
            self._held.memory.share()
        async with asyncio.TaskGroup() as tasks:
            for place in places:
                tasks.create_task(self._keep(place, first=known is None))
            for child in left_over:
                tasks.create_task(self._crew.retire(child))
            tasks.create_task(self._roll(places))
            tasks.create_task(self._reload_when_told())
            tasks.create_task(self._tend())
            await self._stopping.wait()
            log.info("stopping")
            await self._crew.end_all()
        if not self._failed:
            log.info("stopped")
        return not self._failed

    async def _keep(self, place: Place, *, first: bool) -> None:
        """Fill one place until told to stop. `first`: its first process ends everything if it is misconfigured."""
        wait_s = 0.0
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            status: int | None = os.EX_OSERR
            child = self._crew.serving.get(place) or self._crew.start(place)
            if child:
                self._crew.serving[place] = child
                await child.ended.wait()
                if self._crew.ended(child):
                    continue
                status = child.status
            if status in (0, -signal.SIGTERM, -signal.SIGINT):
                await self._pause(OWN_SIGNAL_S)
            if status == EXIT_MISCONFIGURED and first:
                self._failed = True
                self._stopping.set()
            if self._stopping.is_set():
                return
            short_lived = not first and loop.time() - began < STABLE_S
            wait_s = _longer(wait_s) if short_lived else 0.0
            first = False
            log.warning("process ended", process=place.name, status=_told(status), again_in_s=wait_s)
            await self._pause(wait_s)

    # --- reload -------------------------------------------------------------------------------------------------------

    async def _roll(self, places: list[Place]) -> None:
        """Replace every child of the image before, one after the other; the warehouse first.

        For it must know every kind of event that a new worker accepts, or would set the event aside.
        """
        serving = [child for place in places if (child := self._crew.serving.get(place))]
        adopted = [child for child in serving if child.adopted]
        for old in adopted:
            if old.place.role == "worker":
                await self._hand_over(old)
            else:
                await self._crew.retire(old)
                await self._wait_filled(old.place)
        if adopted and not self._stopping.is_set():
            log.info("reloaded", workers=self._settings.workers)
        self._settled.set()

    async def _hand_over(self, old: Child) -> None:
        """Replace a worker once its successor is ready to take over; the old one stays until there is one that is."""
        crew, place = self._crew, old.place
        wait_s = 0.0
        while crew.serving.get(place) is old and not self._stopping.is_set():
            successor = crew.start(place)
            if successor:
                crew.successors[place] = successor
                await first_of(successor.ready, successor.ended, self._stopping, timeout_s=READY_PATIENCE_S)
                if crew.successors.pop(place, None) is not successor:
                    return  # the old one died: its place went to the successor at once
                if successor.ready.is_set() and not successor.ended.is_set():
                    crew.serving[place] = successor
                    await crew.retire(old)
                    return
                await crew.retire(successor, signal.SIGKILL)
            if not self._stopping.is_set():
                wait_s = _longer(wait_s)
                log.warning("the new process is not ready: the old one stays", process=place.name, again_in_s=wait_s)
                self._settled.set()  # it may never be: another reload may be what helps
                await self._pause(wait_s)

    async def _wait_filled(self, place: Place) -> None:
        """Wait a while for the process that was started in a place to be ready."""
        while not (child := self._crew.serving.get(place)) and not self._stopping.is_set():
            await self._pause(LOOK_EVERY_S)
        if child:
            await first_of(child.ready, child.ended, self._stopping, timeout_s=READY_PATIENCE_S)

    async def _reload_when_told(self) -> None:
        """At SIGHUP become the next image, unless something is wrong with it. One reload after the other."""
        while True:
            await first_of(self._hung_up, self._stopping)
            await first_of(self._settled, self._stopping)
            if self._stopping.is_set():
                return
            self._hung_up.clear()
            try:
                handed = await rehearse(self._held, self._settings, self._stopping)
            except Misconfigured as refusal:
                if not self._stopping.is_set():
                    log.error("reload refused, everything stays as it is", reason=str(refusal))
                continue
            signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # what comes from now on waits for the next image
            await asyncio.sleep(HEARD_S)
            if not (self._stopping.is_set() or self._hung_up.is_set()):
                self._become(handed)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            drop(handed)

    def _become(self, handed: HandedOn) -> None:
        log.info("reloading")
        try:
            become(handed, self._crew.known())
        except OSError as error:
            log.error("reload failed, everything stays as it is", **place_of(error))

    # --- what goes on meanwhile ---------------------------------------------------------------------------------------

    async def _tend(self) -> None:
        """Have keys made and destroyed in time, and say of a day once that its filter is over capacity."""
        told: set[int] = set()
        keyless: set[int] = set()
        while not self._stopping.is_set():
            await self._pause(TEND_EVERY_S)
            now_s = self._clock.now()
            today = int(now_s) // DAY_S
            for day in {today - 1, today} - told:
                slot = self._held.memory.slot(day)
                if slot and slot.is_over_capacity():
                    log.warning("the filter is over capacity: visitors err low", error=round(slot.error_ratio(), 4))
                    told.add(day)
            self._held.memory.tend(now_s)
            if today not in keyless and not self._held.memory.slot(today):
                log.error("the clock was set back to a day whose key is gone: it has no more visitors in this epoch")
                keyless.add(today)

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until told to stop."""
        await first_of(self._stopping, timeout_s=seconds)


def serve(settings: Settings, clock: Clock, announce: Callable[[str, str], None]) -> bool:
    """Run the collector until SIGTERM or SIGINT; raises Misconfigured. True after an orderly end.

    `announce` is called with the public and the analyst address once both ports are bound.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # heard once there is something to reload
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a worker's memory holds addresses and agents: none on disk
    folder = hold(settings.data)
    try:
        held = take(settings, folder, clock)
        folder.listening(*held.addresses())
        announce(*held.addresses())
        return asyncio.run(_run(settings, held, clock, None))
    finally:
        folder.release()


def take_over(handed: HandedOn, clock: Clock) -> bool:
    """Go on where the image before this one became this one; otherwise like `serve`."""
    held = handed.held()
    log.info("took over", processes=len(handed.children))
    try:
        return asyncio.run(_run(handed.settings(), held, clock, handed.children))
    finally:
        held.folder.release()


async def _run(settings: Settings, held: Held, clock: Clock, known: Iterable[KnownChild] | None) -> bool:
    with held.public, held.analyst:
        return await Supervisor(settings, held, clock).run(known)


def _longer(wait_s: float) -> float:
    return min(max(2 * wait_s, FIRST_WAIT_S), LONGEST_WAIT_S)


def _told(status: int | None) -> str:
    """An exit status in words: `exit 1` or `signal 9`."""
    return f"signal {-status}" if status is not None and status < 0 else f"exit {status}"

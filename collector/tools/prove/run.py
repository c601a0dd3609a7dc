"""The proof itself, in its order: send, kill, search what waits and what runs, start again, search what is left.

    1  a collector starts; a first share of the requests is sent, and a worker killed meanwhile
    2  the warehouse is held; a second share is sent, and waits: the spool is searched, one segment of it damaged
    3  the warehouse is killed while the rest is sent; the slow ones come last, and all is loaded
    4  after a stated time everything that runs is searched, memory first
    5  SIGTERM, a second start, more requests, SIGTERM: everything that lies on disk is searched
    6  every search must find what is planted for it

A leak is anything found outside memory, and a day's key anywhere. What is found in memory is a remnant, told but no
leak, unless the collector runs with strict_memory. Called by command.py, and by tests with a mutation as `command`.
"""

from __future__ import annotations

import os
import platform
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from collector.tools.prove.controls import controls
from collector.tools.prove.forms import KEY, Canaries
from collector.tools.prove.node import PRODUCT, CannotBeDone, Node
from collector.tools.prove.processes import (
    about_cores,
    day_keys,
    scan_environment,
    scan_memory,
    scan_open_files,
)
from collector.tools.prove.requests import Pieces, Requests
from collector.tools.prove.scan import Hit, Scan, packed_by_zstandard, scan_files, scan_sqlite
from collector.tools.prove.sending import send
from collector.tools.prove.tables import scan_tables

LET_GO_S = 7.0  # after the last answer: connections idle for a second, then two seconds' rounds of strict memory
COUNTED = ("accepted", "refused", "not_counted", "loaded", "duplicate", "quarantined")
AFTER_RESTART = 500
SHARES = (0.4, 0.3, 0.3)
SHARED_FOLDERS = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))  # noqa: S108 - looked into, not written to
_LARGEST = 64 << 20

Told = Callable[[str, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done.

    quick    without kills, damage, slow requests and a second start
    memory   whether memory is searched: what takes longest
    command  what is run instead of the collector: a mutation of it
    """

    requests: int
    strict: bool = False
    quick: bool = False
    memory: bool = True
    command: Sequence[str] = PRODUCT


@dataclass(slots=True)
class Proof:
    """What was done and found."""

    plan: Plan
    machine: str = field(default_factory=platform.platform)
    answers: Counter[int] = field(default_factory=Counter)
    counted: dict[str, int] = field(default_factory=dict)
    scans: list[Scan] = field(default_factory=list)
    failed_controls: list[str] = field(default_factory=list)
    cores: list[str] = field(default_factory=list)
    keys: int = 0
    seconds: float = 0.0

    @property
    def remnants(self) -> dict[Hit, int]:
        """What is in memory, by process and form, and is no leak."""
        return {hit: n for scan in self.scans for hit, n in scan.hits.items() if not self._is_leak(scan, hit)}

    @property
    def leaks(self) -> dict[Hit, int]:
        """Everything found that should not be, by the kind of place it was found in."""
        return {
            hit._replace(place=f"{scan.name}: {hit.place}"): n
            for scan in self.scans
            for hit, n in scan.hits.items()
            if self._is_leak(scan, hit)
        }

    def _is_leak(self, scan: Scan, hit: Hit) -> bool:
        return scan.kind != "memory" or self.plan.strict or hit.what == KEY


def prove(plan: Plan, folder: Path, told: Told) -> Proof:
    """Do all of it in an empty folder; raises CannotBeDone. `told` hears what is done, and how much more is sent."""
    began = time.monotonic()
    environ = {"COLLECTOR_STRICT_MEMORY": "true"} if plan.strict else {}
    node = Node(folder, plan.command, environ, workers=1 if plan.quick else 2)
    run = _Run(plan, node, told)
    try:
        run.all_of_it()
    finally:
        node.end()
    run.proof.seconds = time.monotonic() - began
    return run.proof


class _Run:
    """One proof under way."""

    def __init__(self, plan: Plan, node: Node, told: Told) -> None:
        self.proof = Proof(plan)
        self._plan = plan
        self._node = node
        self._told = told
        self._began_s = time.time()
        self._canaries = Canaries()
        self._keys: list[bytes] = []
        requests = Requests(self._canaries.words)
        self._left = requests.mixed(plan.requests)
        self._slow = requests.slow()

    def all_of_it(self) -> None:
        """The steps above."""
        node = self._node
        self._start()
        self._share(SHARES[0], "worker")
        self._hold_warehouse()
        self._share(SHARES[2], "warehouse")
        if not self._plan.quick:
            self._send(self._slow, "sending what is too slow")
        node.wait_loaded()
        self.proof.counted = {name: node.counted(name) for name in COUNTED}
        self._search_what_runs()
        node.stop()
        if not self._plan.quick:
            self._start()
            self._send(Requests(self._canaries.words).mixed(AFTER_RESTART), "sending after a restart")
            node.wait_loaded()
            node.stop()
        self._search_what_is_left()
        self._check_searches()

    # --- sending ------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._told("starting the collector", 0)
        self._node.start()
        supervisor = min(self._node.processes())
        found = day_keys(supervisor)
        if not found:
            raise CannotBeDone("the day's key cannot be read: run this as the collector's user, or as root")
        self._keys += found
        self.proof.keys = len(self._keys)
        self._canaries = self._canaries.with_keys(self._keys)
        if not self.proof.cores:
            self.proof.cores = [f"{role}: {about_cores(pid)}" for pid, role in self._node.processes().items()]

    def _share(self, part: float, killed: str | None) -> None:
        """Send a part of all requests; meanwhile kill a process of that role."""
        number = int(self._plan.requests * part)
        requests = [pieces for _, pieces in zip(range(number), self._left, strict=False)]
        sending = Thread(target=self._send, args=(requests, "sending"))
        sending.start()
        try:
            if killed and not self._plan.quick:
                self._node.kill(killed)
        finally:
            sending.join()

    def _hold_warehouse(self) -> None:
        """Send while nothing is loaded, search what waits in the spool, and damage a segment of it."""
        node = self._node
        held = [pid for pid, role in node.children().items() if role == "warehouse"]
        for pid in held:
            os.kill(pid, signal.SIGSTOP)
        try:
            self._share(SHARES[1], None)
            self._told("searching the spool", 0)
            spool = [node.data / "spool", node.data / "frozen"]
            self._keep(scan_files("spool, while events wait", spool, self._canaries))
            if not self.proof.scans[-1].size_bytes:
                raise CannotBeDone("nothing waited in the spool")
            if not self._plan.quick:
                _damage(node.data / "spool")
        finally:
            for pid in held:
                os.kill(pid, signal.SIGCONT)

    def _send(self, requests: Sequence[Pieces] | Iterator[Pieces], doing: str) -> None:
        self._told(doing, 0)
        self.proof.answers += send(self._node.public, requests, lambda number: self._told(doing, number))

    # --- searching ----------------------------------------------------------------------------------------------------

    def _search_what_runs(self) -> None:
        node, canaries = self._node, self._canaries
        processes = node.processes()
        if self._plan.memory:
            self._told(f"waiting {LET_GO_S:g} s for what is to be let go of", 0)
            time.sleep(LET_GO_S)
            self._told("searching memory", 0)
            self._keep(scan_memory(processes, canaries))
        self._told("searching what runs", 0)
        metrics = Scan("metrics", "metrics")
        metrics.search("/metrics", node.metrics(), canaries)
        self._keep(metrics)
        self._keep(scan_environment(processes, canaries))
        self._keep(scan_open_files(processes, canaries))
        self._keep(scan_files("data, while it runs", [node.data], canaries))

    def _search_what_is_left(self) -> None:
        self._told("searching what is left", 0)
        node, canaries = self._node, self._canaries
        folders = [node.data, node.tmp, node.log]
        names = ("data, at the end", "temporary files", "log")
        for name, folder in zip(names, folders, strict=True):
            self._keep(scan_files(name, [folder], canaries))
        self._keep(scan_files("quarantine", [node.data / "quarantine"], canaries))
        self._keep(scan_sqlite(node.data, canaries))
        self._keep(scan_tables(node.data / "clickhouse", canaries, packed_by_zstandard(folders)))
        self._keep(scan_files("temporary files of the machine", self._new_files(), canaries.only_words()))

    def _new_files(self) -> Iterator[Path]:
        """Files that came into the machine's folders for temporary files since the start, others' among them."""
        for folder in SHARED_FOLDERS:
            for path in folder.iterdir() if folder.is_dir() else ():
                about = path.lstat()
                ours = path == self._node.folder or path in self._node.folder.parents
                if path.is_file() and about.st_mtime >= self._began_s and about.st_size <= _LARGEST and not ours:
                    yield path

    def _check_searches(self) -> None:
        """Let every search find what is planted for it."""
        self._told("searching what was planted", 0)
        found = controls(self._node.data / "clickhouse")
        for scan in self.proof.scans:
            scan.control = found[scan.kind]
        self.proof.failed_controls = [kind for kind, is_found in found.items() if not is_found]

    def _keep(self, scan: Scan) -> None:
        self.proof.scans.append(scan)


def _damage(spool: Path) -> None:
    """Flip a bit of one closed segment, as a disk does: what is set aside for it is searched, too."""
    for path in sorted(spool.glob("w*/*.segment")):
        content = bytearray(path.read_bytes())
        if content:
            content[-1] ^= 1
            path.write_bytes(content)
            return

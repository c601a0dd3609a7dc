"""Every syscall that changes the disk on an event's way is hit once: by SIGKILL, by EIO, by ENOSPC.

One run of the chain (chain.py) without a fault, watched by strace, says which calls there are: those of the spool and
the loader and those inside the engine's insert. Then each is hit in a run of its own, on events of its own, and what
was acknowledged must have counted once, what was refused never, anything else at most once. Before each hit a whole
group goes through, which shows that the fault before it left nothing behind. After an error the same process goes on
if it can; after a kill, or where something still waits on disk, another one starts, as a supervisor would do.
A kill is before its call. After a call is before the next one: nothing else on the way changes what a crash leaves.
"""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from tests.durability.chain import NODE
from tests.durability.driven import CHECKOUT, Driven, Group
from tests.durability.outcome import NotHereError, Outcome
from tests.durability.tracing import CALLS, FAULTS, Call, Strace, changes, path_in
from tests.loading import DAY, IDS

ATTEMPTS = 12  # at a point that was not met: the engine's threads share the work out differently every time
LEAST_POINTS = 100  # there are 134: a trace with much fewer has not seen the way
MOST_MISSED = 2  # of all
STAGES = ("append", "rotate", "recover", "remember", "freeze", "insert", "delete")

_PART = re.compile(rf"(tmp_insert_)?(\d{{8}})-{NODE}_(\d+)_\3_")
_NAMELESS = re.compile(r"(tmp_insert_)?<([01])>_")
_DEDUPLICATION_LOG = re.compile(r"deduplication_log_\d+")
_NOT_SAID = (  # what differs from run to run is not part of a point's name
    (re.compile(r"store/\w+/[-\w]+"), "hot"),
    (re.compile(r"\d{8}-\d+_\d+_\d+_\d+"), "PART"),
    (re.compile(r"[0-9a-f]{16}-\d+-\d+-\d+"), "SEGMENT"),
    (re.compile(r"tmp[a-z0-9_]{8}\.raw"), "PAYLOAD"),
    (re.compile(r"(broken|batches)\.\d+"), r"\1.PID"),
    (_DEDUPLICATION_LOG, "deduplication_log"),
)


@dataclass(frozen=True, slots=True)
class Point:
    """A call that is hit: where on an event's way, and its name as people read it."""

    stage: str
    name: str
    call: Call
    path: str  # with <0> and <1> for the parts of the group's two days


class Parts(NamedTuple):
    """The numbers of the newest part: while it was written, and with its name. The engine counts on from both."""

    unnamed: int
    named: int


@dataclass
class Found:
    """What the hits of one fault led to."""

    points: list[Point] = field(default_factory=list)
    missed: list[Point] = field(default_factory=list)
    restarted: list[str] = field(default_factory=list)
    wrong: list[tuple[Point, int, int]] = field(default_factory=list)


KILLED, IO_ERROR, NO_SPACE = (f"{fault} at a syscall" for fault in ("SIGKILL", "EIO", "ENOSPC"))


def killed(folder: Path, rounds: int, seed: int) -> Outcome:
    """SIGKILL before so many of the calls, or before all there are."""
    return Injection(folder, "SIGKILL").outcome(rounds, seed)


def io_error(folder: Path, rounds: int, seed: int) -> Outcome:
    """EIO instead of so many of the calls, or of all there are."""
    return Injection(folder, "EIO").outcome(rounds, seed)


def no_space(folder: Path, rounds: int, seed: int) -> Outcome:
    """ENOSPC instead of so many of the calls, or of all there are."""
    return Injection(folder, "ENOSPC").outcome(rounds, seed)


class Injection:
    """One fault, played on one DATA below `folder`; `package` is where the collector is imported from (controls.py)."""

    def __init__(self, folder: Path, fault: str, package: Path = CHECKOUT) -> None:
        if shutil.which("strace") is None:
            raise NotHereError("strace")
        self._data = folder.resolve() / "data"
        self._log = folder / "strace.log"
        self._fault = fault
        self._chain = Driven(self._data, package)
        self.found = Found()

    def outcome(self, rounds: int, seed: int, only: str = "") -> Outcome:
        """Hit so many points, or all there are; with `only`, of those whose name has it."""
        found = self.found
        try:
            points = self.points()
            assert len(points) >= LEAST_POINTS, f"only {len(points)} calls were seen"
            assert {point.stage for point in points} == set(STAGES), "a stage of the way was not seen"
            found.points = sampled([point for point in points if only in point.name], rounds, seed)
            for point in found.points:
                self.hit(point)
            assert len(found.missed) <= MOST_MISSED, f"not met: {', '.join(point.name for point in found.missed)}"
            lost, doubled = self._in_the_end()
        finally:
            self._chain.stop()
        stages = Counter(point.stage for point in found.points)
        note = ", ".join(f"{stage} {stages[stage]}" for stage in STAGES if stages[stage])
        if found.missed:
            note += f"; not met: {', '.join(point.name for point in found.missed)}"
        if found.restarted:
            note += f"; restarted after an error: {', '.join(found.restarted)}"
        for point, few, many in found.wrong:
            note += f"; {point.name}: lost {few}, doubled {many}"
        return Outcome(
            fault=f"{self._fault} at a syscall",
            rounds=len(found.points) - len(found.missed),
            acknowledged=sum(len(group.acknowledged) for group in self._chain.groups),
            lost=lost,
            doubled=doubled,
            seed=seed,
            note=note,
        )

    def points(self) -> list[Point]:
        """Every call that changes the disk in one run of the chain, in the order in which they happen."""
        self._whole_group(watched=False)  # what is done only once in a process's life is done now
        group = self._chain.prepare()
        with Strace(self._chain.pid, self._log, "-e", f"trace={CALLS}", all_threads=True) as strace:
            settled = self._chain.run(group)
        assert settled, "the chain does not come to its end without a fault"
        return named(changes(strace.lines(), self._chain.pid, self._data), group, self._data)

    def hit(self, point: Point) -> None:
        """Hit one point, go on until nothing waits, and look at what became of the events."""
        for _ in range(ATTEMPTS):
            parts = self._whole_group(watched=not point.call.own)
            group = self._chain.prepare()
            met = self._run_with_fault(point, group, parts)
            few, many = self._chain.wrong(group)
            if few or many:
                self.found.wrong.append((point, few, many))
            if met:
                return
        self.found.missed.append(point)

    def _run_with_fault(self, point: Point, group: Group, parts: Parts) -> bool:
        """Send the group through with the fault in it, and go on until nothing waits; whether the fault was met."""
        call = point.call
        options = ["-e", f"trace={call.name}"]
        nth = call.nth
        if not call.own:
            nth = call.nth_on_path
            options += ["-P", _path_now(point.path, group, parts)]
        options += ["-e", f"inject={call.name}:{FAULTS[self._fault]}:when={nth}"]
        with Strace(self._chain.pid, self._log, *options, all_threads=not call.own) as strace:
            settled = self._chain.run(group)
            strace.ended = settled is None
        met = self._is_met(point, strace.lines())
        if settled is False:  # a segment that could not be closed is closed when the next events come
            settled = self._chain.run(self._chain.prepare())
        if settled:
            return met
        code = self._chain.stop()
        if self._fault != "SIGKILL":
            self.found.restarted.append(f"{point.name} ({'waits' if settled is not None else code})")
        assert self._chain.start(), "what waits on disk waits after a new start, too"
        return met

    def _is_met(self, point: Point, lines: list[str]) -> bool:
        """Whether the call that was hit is the one that was meant."""
        hits = [line for line in lines if line.endswith(("(INJECTED)", "= ?"))]
        paths = [path for hit in hits if (path := path_in(hit, f"{self._data}/"))]
        return _said(point.call.path) in map(_said, paths)

    def _whole_group(self, *, watched: bool) -> Parts:
        """Send a group through without a fault; if it is watched, the numbers of its last part."""
        group = self._chain.prepare()
        if not watched:
            assert self._chain.run(group), "a chain without a fault does not come to its end"
            return Parts(0, 0)
        with Strace(self._chain.pid, self._log, "-e", "trace=rename", all_threads=True) as strace:
            assert self._chain.run(group), "a chain without a fault does not come to its end"
        (_, _, unnamed), (_, _, part) = _PART.findall([line for line in strace.lines() if "tmp_insert_" in line][-1])
        return Parts(int(unnamed), int(part))

    def _in_the_end(self) -> tuple[int, int]:
        """What is lost and doubled of everything that was ever sent, by what an engine that starts anew finds."""
        self._chain.stop()
        self._chain.start()
        return self._chain.wrong(*self._chain.groups)


def named(calls: list[Call], group: Group, data: Path) -> list[Point]:
    """The calls of this group's run, in order, with what they belong to."""
    points = []
    days = _days(group)
    times: Counter[str] = Counter()
    stage = 0
    for call in calls:
        path = call.path.removeprefix(f"{data}/")
        while stage + 1 < len(STAGES) and _begins(STAGES[stage + 1], call.name, path):
            stage += 1
        name = f"{call.name} {_said(path)}"
        times[name] += 1
        points.append(Point(STAGES[stage], f"{name} #{times[name]}", call, _PART.sub(_nameless(days), call.path)))
    return points


def _said(path: str) -> str:
    for pattern, said in _NOT_SAID:
        path = pattern.sub(said, path)
    return path


def _nameless(days: list[str]) -> Callable[[re.Match[str]], str]:
    return lambda part: f"{part[1] or ''}<{days.index(part[2])}>_"


def _path_now(pattern: str, group: Group, parts: Parts) -> str:
    """What a path of the engine will be in this group's run: its next two parts are the group's two days."""
    days = _days(group)

    def part(found: re.Match[str]) -> str:
        second = int(found[2])
        block = (parts.unnamed if found[1] else parts.named) + 1 + second
        return f"{found[1] or ''}{days[second]}-{NODE}_{block}_{block}_"

    path = _NAMELESS.sub(part, pattern)
    if log := _DEDUPLICATION_LOG.search(path):  # every start of the engine begins another
        logs = Path(path).parent.glob("deduplication_log_*")
        newest = max(logs, key=lambda found: int(found.stem.rpartition("_")[2]))
        path = path.replace(log[0], newest.stem)
    return path


def _days(group: Group) -> list[str]:
    first = date(1970, 1, 1) + timedelta(days=DAY + 2 * group.number)
    return [f"{first + timedelta(days=day):%Y%m%d}" for day in (0, 1)]


def _begins(stage: str, call: str, path: str) -> bool:
    match stage:
        case "rotate":
            return call.startswith("rename") and path.startswith("spool/w0/")
        case "recover":
            return path.startswith("spool/w1/")
        case "remember":
            return path.startswith(IDS)
        case "freeze":
            return path.startswith("frozen/")
        case "insert":
            return path.startswith(("tmp/", "clickhouse/"))
        case _:
            return call.startswith("unlink") and path.startswith("spool/")


def sampled(points: list[Point], rounds: int, seed: int) -> list[Point]:
    """So many points, or all there are: some of every stage, by `seed`, in the order of the chain."""
    shuffled = random.Random(seed).sample(points, len(points))
    turn: Counter[str] = Counter()
    ranked = []
    for point in shuffled:
        ranked.append((turn[point.stage], point))
        turn[point.stage] += 1
    chosen = {point for _, point in sorted(ranked, key=lambda found: found[0])[:rounds]}
    return [point for point in points if point in chosen]

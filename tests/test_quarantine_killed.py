"""Set aside and tried again, every event counts once whatever step the loader is killed at.

The loader runs in a process that kills itself before its n-th step. Of two days in one frozen file one is refused, by a
constraint that somebody added: it is kept apart, and taken at last.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.loading import HOUR, Place, hit

PROGRAM = """
import os, signal, sys
from pathlib import Path
from tests.loading import Place
from collector.log import configure
from collector.warehouse.embedded import open_embedded
from collector.warehouse.writing import Writing

data, node, retries, wanted = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "retry", int(sys.argv[4])
points = 0
configure("critical")

def point(name):
    global points
    points += 1
    if points == wanted:
        print(name, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

class Watched:
    def __init__(self, client):
        self.client = client
    def __getattr__(self, name):
        return getattr(self.client, name)
    def writer(self):
        return Watched(self.client.writer())
    def raw_insert(self, *args, **named):
        if retries:
            point("before an insert")
        self.client.raw_insert(*args, **named)
        if retries:
            point("after an insert")

def watch(event, args):
    if event in ("os.rename", "os.remove", "open") and isinstance(args[0], (str, os.PathLike)):
        path = Path(args[0])
        if event == "os.remove":
            if "frozen" in path.parts or "spool" in path.parts:
                point(f"{event} {path.name.rpartition(chr(46))[2]}")
        elif "quarantine" in path.parts and (event != "open" or (args[2] or 0) & os.O_CREAT):
            point(event)

with open_embedded(data / "engine") as engine:
    Writing(engine).connect()
    constraint = "CONSTRAINT IF NOT EXISTS nothing_bad CHECK d1 != '/bad'"
    alter = "DROP CONSTRAINT IF EXISTS nothing_bad" if retries else f"ADD {constraint}"
    engine.writer().command(f"ALTER TABLE hot {alter}")
    loader = Place(data, node).loader(Watched(engine))
    sys.addaudithook(watch)
    while loader.load_ready():
        pass
    if retries:
        for kept in loader.quarantine.list():
            print(loader.retry(kept.name))
    print("finished", points)
    counted = "SELECT d1, sum(events) FROM hot WHERE report = 'pages' GROUP BY ALL ORDER BY ALL"
    print(engine.reader().query(counted).result_rows)
"""

ASIDE = ["open", "os.rename", "os.remove broken", "os.remove segment", "os.remove batches"]
RETRY = ["os.rename", "before an insert", "after an insert", "os.remove batches"]


def run(place: Place, what: str, point: int = 0) -> list[str]:
    """What a loader says that sets aside, or retries, and kills itself before its n-th step."""
    words = [str(place.data), str(place.node), what, str(point)]
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode in (0, -9), ran.stderr
    return ran.stdout.splitlines()


# Every other step, other ones each time; `make test-slow`: every one.
STRIDES = pytest.mark.parametrize("stride", [2, pytest.param(1, marks=pytest.mark.slow)])


def begun(folder: Path) -> Place:
    """Two segments that wait for a loader."""
    folder.mkdir(exist_ok=True)
    place = Place(folder)
    place.write([(hit("/bad"), 0), (hit("/good", HOUR + 24), 0)], [(hit("/bad"), 0)])
    return place


def assert_exact(place: Place) -> None:
    assert run(place, "retry")[-1] == "[('/bad', 2), ('/good', 1)]"
    assert place.files() == []


@STRIDES
def test_killed_while_it_sets_aside_every_event_counts_once(tmp_path: Path, stride: int) -> None:
    for point in range(random.randrange(stride), len(ASIDE), stride):
        place = begun(tmp_path / ASIDE[point])
        assert run(place, "set aside", point + 1) == [ASIDE[point]]
        if point > ASIDE.index("os.rename"):
            assert len(list((place.data / "quarantine").iterdir())) == 1
        assert_exact(place)


@STRIDES
def test_killed_while_it_tries_again_every_event_counts_once(tmp_path: Path, stride: int) -> None:
    for point in range(random.randrange(stride), len(RETRY), stride):
        place = begun(tmp_path / RETRY[point])
        *_, counted = run(place, "set aside")
        assert counted == "[('/good', 1)]"
        (name,) = place.files()
        assert run(place, "retry", point + 1) == [RETRY[point]]
        assert place.files() == [name]
        assert_exact(place)


def test_the_steps_above_are_all_there_are_and_only_what_is_refused_is_kept(tmp_path: Path) -> None:
    place = begun(tmp_path)
    assert run(place, "set aside")[0] == f"finished {len(ASIDE)}"
    told, finished, _ = run(place, "retry")
    assert told == "Retried(loaded=2, refused=0, waiting=0, stopped=0)"
    assert finished == f"finished {len(RETRY)}"
    assert_exact(place)

"""Every event counts once, whatever step of loading the loader is killed at: the one started next does the rest.

The loader runs in a process that kills itself before its n-th step on files, or before or after an insert. The list of
steps is complete: a loader that takes another one fails the last test.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.loading import ALL_NEW, HOUR, Place, hit

KILLED = """
import os, signal, sys
from pathlib import Path
from tests.loading import Place
from collector.warehouse.embedded import open_embedded
from collector.warehouse.writing import Writing

data, node, wanted = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
points = 0

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
        point("before an insert")
        self.client.raw_insert(*args, **named)
        point("after an insert")

def watch(event, args):
    if event in ("os.rename", "os.remove", "open") and isinstance(args[0], (str, os.PathLike)):
        path = Path(args[0])
        parts = path.parts
        if "frozen" in parts or "spool" in parts:
            if event != "open" or (args[2] or 0) & os.O_CREAT:
                point(f"{event} {path.name.rpartition(chr(46))[2]}" if event == "os.remove" else event)

with open_embedded(data / "engine") as engine:
    loader = Place(data, node).loader(Watched(engine))
    sys.addaudithook(watch)
    while loader.load_ready():
        pass
    print("finished", points)
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def killed_at(place: Place, point: int) -> str:
    """Run a loader that kills itself before its n-th step on files, or around an insert; says which it was."""
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(place.data), str(place.node), str(point)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode in (0, -9), run.stderr
    return run.stdout.splitlines()[-1]


def two_days(place: Place) -> None:
    place.write([(hit("/a"), ALL_NEW), (hit("/b", HOUR + 24), 0)], [(hit("/a"), 0)])
    place.write([(hit("/a"), 0), (hit("/c", HOUR + 24), 0)])


def the_rest_is_exact(place: Place) -> None:
    program = KILLED + (
        "\nwith open_embedded(data / 'engine') as engine:\n"
        "    query = \"SELECT d1, sum(events) FROM hot WHERE report = 'pages' GROUP BY ALL ORDER BY ALL\"\n"
        "    print(engine.reader().query(query).result_rows)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(place.data), str(place.node), "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout.splitlines()[-1] == "[('/a', 3), ('/b', 1), ('/c', 1)]"
    assert place.files() == []


STEPS = [
    "open",  # the frozen file is begun
    "os.rename",  # and renamed into place
    "before an insert",
    "after an insert",
    "before an insert",
    "after an insert",
    "os.remove broken",
    "os.remove segment",
    "os.remove broken",
    "os.remove segment",
    "os.remove batches",
]


@pytest.mark.parametrize("point", range(1, len(STEPS) + 1))
def test_killed_at_any_step_and_started_again_every_event_counts_once(place: Place, point: int) -> None:
    two_days(place)
    said = killed_at(place, point)
    assert said == STEPS[point - 1]
    the_rest_is_exact(place)


def test_the_steps_above_are_all_there_are(place: Place) -> None:
    two_days(place)
    assert killed_at(place, 0) == f"finished {len(STEPS)}"
    the_rest_is_exact(place)

"""A collector with something in quarantine: what an operator types about it, and whether the counters add up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from collector.spool.frame import HEADER, encode
from collector.spool.segment import Life, closed_path, segment_name, worker_folder
from tests.loading import HOUR, Place, event, hit
from tests.stack import ROOT, Stack, eventually

NODE = 0x1234_5678_9ABC_DEF0
CONFIG = '[[site]]\nid = "www.example.org"\nhosts = ["www.example.org"]\nroutes = ["/**"]\n'


def quarantine(stack: Stack, *words: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """`collector quarantine ...` as an operator of that collector types it."""
    return subprocess.run(
        [sys.executable, "-m", "collector", "quarantine", *words, "--data", str(stack.data)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **(environ or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def listed(stack: Stack) -> list[dict[str, Any]]:
    """What `list` says, as JSON."""
    told = quarantine(stack, "list", "--format", "json")
    assert told.returncode == 0, told.stderr
    kept: list[dict[str, Any]] = orjson.loads(told.stdout)["kept"]
    return kept


def only(stack: Stack, suffix: str) -> str:
    """The name of the only file of that kind."""
    (name,) = [each["name"] for each in listed(stack) if each["name"].endswith(suffix)]
    return str(name)


def assert_adds_up(stack: Stack, **parts: int) -> None:
    """At rest every event that was accepted is told once by what became of it; `parts` are what some must be."""

    def seen() -> dict[str, int]:
        names = ("accepted", "recovered", "loaded", "duplicate", "quarantined")
        found = {name: stack.counted(f"events_{name}") for name in names}
        return found | {"pending": int(stack.metrics()["collector_events_pending"])}

    def adds_up() -> bool:
        found = seen()
        came = found["accepted"] + found["recovered"]
        went = found["loaded"] + found["pending"] + found["duplicate"] + found["quarantined"]
        return came == went and all(found[name] == events for name, events in parts.items())

    try:
        eventually(adds_up, "the counters add up")
    except AssertionError:
        raise AssertionError(f"{seen()}, and should be {parts}") from None


def leave_behind(data: Path) -> None:
    """What an earlier life left: an event the engine refuses beside one it takes, a damaged frame, a forgotten kind."""
    place = Place(data, NODE)
    place.write([(event("page_leave", HOUR - 24, path="/left", seconds=-5), 0), (hit("/taken"), 0)])
    damaged = place.write(*[[(hit(f"/{number}"), 0)] for number in range(5)])
    content = bytearray(damaged.read_bytes())
    content[len(content) // 5 * 2 + HEADER.size + 5] ^= 1
    damaged.write_bytes(content)
    name = segment_name(Life(NODE, 1), 0, 90)
    records = [("page_hit", "www.example.org", HOUR, ["/old"], 0), ("gone", "www.example.org", HOUR, [], 0)]
    folder = worker_folder(data / "spool", 0)
    closed_path(folder, name, 2).write_bytes(encode(name, 0, b"\1" * 8, records))
    (folder.parent / ("01" * 8 + ".layout")).write_bytes(b'{"page_hit": ["path"], "gone": []}')
    (data / "node").write_bytes(orjson.dumps({"node": f"{NODE:016x}", "epoch": 1}))

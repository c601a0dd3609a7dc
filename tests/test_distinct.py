"""A million of whatever anybody can make up costs neither memory nor an event."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.counting import load, today
from tests.stack import ROOT, Stack

CONFIG = 'trusted_proxies = ["127.0.0.0/8"]\n'
NUMBER = 1_000_000
WARM = 50_000
GROWTH_BYTES = 50_000_000
CAP = 5_000
SENDERS = 2


def send(stack: Stack, what: str, numbers: range) -> None:
    """All of them, from two processes."""
    share = len(numbers) // SENDERS
    command = [sys.executable, "-m", "tests.distinct_hits", stack.public, what]
    senders = [subprocess.Popen([*command, str(first), str(share)], cwd=ROOT) for first in numbers[::share]]
    assert [sender.wait() for sender in senders] == [0] * SENDERS


def resident_bytes(stack: Stack, role: str) -> int:
    """The memory of all processes of that role."""
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in stack.children(role)]
    return sum(int(line.split()[1]) * 1024 for text in texts for line in text.splitlines() if line.startswith("VmRSS"))


@pytest.mark.slow
def test_a_million_agents_paths_and_versions_grow_no_worker_and_are_all_counted(
    start_stack: Callable[..., Stack],
) -> None:
    example = (ROOT / "collector" / "example.toml").read_text("utf-8")
    stack = start_stack(config=CONFIG + example, environ={"COLLECTOR_SEGMENT_S": "2"})
    kinds = ("agents", "paths", "versions")
    for what in kinds:
        send(stack, what, range(WARM))
    warm = resident_bytes(stack, "worker")
    for what in kinds:
        send(stack, what, range(WARM, NUMBER))
        grown = resident_bytes(stack, "worker") - warm
        print(f"{what}: {grown / 1e6:+.1f} MB after {NUMBER:,}")  # noqa: T201 - the figure
        assert grown < GROWTH_BYTES, what
    load(stack)
    site, day = {"property": "www.example.org"}, today()
    assert stack.ask("traffic", **site, **day)["totals"]["events"] == 2 * NUMBER
    pages = stack.ask("pages", by="path", limit=10_000, **site, **day)
    assert pages["totals"]["events"] == 2 * NUMBER
    assert len(pages["rows"]) <= CAP + 1
    checks = stack.ask("update_checks", property="player", by="version", **day)
    assert checks["totals"]["events"] == NUMBER
    assert {row[0] for row in checks["rows"]} == {"(other)"}
    stack.stop()

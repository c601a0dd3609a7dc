"""Another version takes an earlier one's place, on its data and under load: no answered event is lost, none doubled."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.durability.bodies import CONFIG, Bodies, crowd
from tests.durability.producers import Producers
from tests.durability.rest import judged, wait_at_rest
from tests.requires import lacks
from tests.stack import ROOT, Stack, eventually

# The oldest commit whose data and whose processes, each, this version can take over; UPGRADE_FROM names another.
RESTARTED = os.environ.get("UPGRADE_FROM", "e3f0646")
RELOADED = os.environ.get("UPGRADE_FROM", "133393a")
SOME = 300  # events that are acknowledged by one version before and after the change


def code_of(folder: Path, commit: str) -> Path:
    """The code of an earlier commit as it is installed: what an operator replaces. It runs with today's libraries."""
    archive = folder.with_suffix(".tar")
    command = ["git", "archive", f"--output={archive}", commit, "collector", "schemas"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if told.returncode:
        lacks(f"this checkout has no commit {commit}: {told.stderr.strip()}")
    folder.mkdir()
    subprocess.run(["tar", "--extract", f"--file={archive}", f"--directory={folder}"], check=True)
    return folder


def put(tree: Path, folder: Path) -> None:
    """Have the code of a checkout there, in the place of any other."""
    folder.mkdir(exist_ok=True)
    for name in ("collector", "schemas"):
        new, old = folder / f"{name}.new", folder / f"{name}.old"
        shutil.copytree(tree / name, new, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        if (folder / name).exists():
            (folder / name).rename(old)
        new.rename(folder / name)
        shutil.rmtree(old, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["restart", "reload"])
def test_an_upgrade_under_load_loses_and_doubles_nothing(tmp_path: Path, way: str) -> None:
    code = code_of(tmp_path / "code", RESTARTED if way == "restart" else RELOADED)
    stack = Stack(tmp_path, config=CONFIG, workers=2, code=code)
    try:
        assert stack.request("GET", "/readyz").status == 404, "it is an earlier version that runs"
        for body in crowd():
            stack.post(body.json, body.headers)
        wait_at_rest(stack)
        with Producers(stack.public, Bodies(7), seed=7, resend=True) as producers:
            acknowledged(producers, SOME)
            put(ROOT, code)
            if way == "restart":
                stack.stop()
                stack.start()
            else:
                stack.reload()
            eventually(lambda: stack.request("GET", "/readyz").status == 200, "the new version runs, and is ready")
            acknowledged(producers, SOME)
            ledger = producers.finish()
        verdict = judged(stack, ledger)
        assert (verdict.lost, verdict.doubled) == (0, 0), producers.requests
        stack.stop()
    finally:
        stack.sweep()


def acknowledged(producers: Producers, events: int) -> None:
    """Wait for so many more."""
    before = producers.ledger.acknowledged
    eventually(lambda: producers.ledger.acknowledged >= before + events, f"{events} more events are acknowledged")
    producers.check()

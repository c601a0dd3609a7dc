"""Whether events are received is a line of `collector doctor`: asked as who sends one meets it, whatever else lives."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from collector.data_folder import hold
from collector.doctor.line import Line, State
from tests.doctoring import doctor, lines_of
from tests.failing_disk import FailingDisk
from tests.open_door import open_door
from tests.stack import Stack, eventually

NOON = 1_800_000_000


def said(stack: Stack) -> dict[str, Line]:
    return lines_of(stack.command("doctor", "--json").stdout)


def test_a_worker_that_hangs_is_told_while_all_else_is_well(stack: Stack) -> None:
    told = said(stack)
    assert told["receiving"] == Line(name="receiving", state=State.OK, tells=f"events are taken at {stack.public}")
    stack.kill("worker", signal.SIGSTOP)
    done = stack.command("doctor", "--json")
    told = lines_of(done.stdout)
    assert (told["receiving"].state, done.returncode) == (State.FAIL, 2)
    assert told["receiving"].tells == f"no event is received: no answer at {stack.public} (none within 5 s)"
    assert told["database"].state is State.OK
    stack.kill("worker", signal.SIGKILL)  # as the line says
    eventually(lambda: said(stack)["receiving"].state is State.OK, "another one receives")


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_a_disk_without_room_is_told_though_nobody_answers_analysts(tmp_path: Path, host: str) -> None:
    disk = FailingDisk()
    folder = hold(tmp_path / "data")
    try:
        (folder.path / "operator.token").write_text("x" * 40)
        async with open_door(tmp_path / "door", NOON, disk=disk) as door:
            folder.listening(f"{host}:{door.url.rpartition(':')[2]}", "127.0.0.1:9")
            assert (await asyncio.to_thread(doctor, folder.path))["receiving"].state is State.OK
            disk.failing = {"free_bytes"}
            await asyncio.sleep(1)  # the room is looked at four times a second
            told = await asyncio.to_thread(doctor, folder.path)
    finally:
        folder.release()
    assert (told["receiving"].state, told["receiving"].tells) == (
        State.FAIL,
        "events are refused: the disk has no room",
    )
    assert (told["collector"].state, list(told)) == (State.FAIL, ["configuration", "receiving", "collector"])

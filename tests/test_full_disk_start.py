"""A process that dies while the disk is full is replaced by one that refuses events until there is room."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.durability.outcome import NotHereError
from tests.durability.small_disk import Ballast, small_disk
from tests.requires import lacks
from tests.stack import Stack, eventually

HIT = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/"}


def test_a_worker_that_dies_while_the_disk_is_full_is_replaced_by_one_that_refuses(tmp_path: Path) -> None:
    try:
        with small_disk(Stack.data_in(tmp_path), 96):
            stack = Stack(tmp_path)
            try:
                _fill_kill_and_heal(stack)
                stack.stop()
            finally:
                stack.sweep()
    except NotHereError as why:
        lacks(str(why))


def _fill_kill_and_heal(stack: Stack) -> None:
    stack.post(HIT)
    stack.wait_loaded(1)
    ballast = Ballast(stack.data)
    ballast.fill()
    stack.kill("worker")
    ballast.fill()
    eventually(lambda: stack.post(HIT).status == 503, "events are refused")
    assert stack.log_text.count("process ended") == 1
    ballast.drop()
    eventually(lambda: stack.post(HIT).status == 204, "events are accepted")
    stack.wait_loaded(2)


@pytest.mark.slow
def test_a_worker_stays_while_its_successor_has_no_room_for_new_declarations(tmp_path: Path) -> None:
    try:
        with small_disk(Stack.data_in(tmp_path) / "spool", 24):
            stack = Stack(tmp_path)
            try:
                _fill_and_reload(stack)
                stack.stop()
            finally:
                stack.sweep()
    except NotHereError as why:
        lacks(str(why))


def _fill_and_reload(stack: Stack) -> None:
    for layout in (stack.data / "spool").glob("*.layout"):
        layout.unlink()  # as of declarations that are new
    ballast = Ballast(stack.data / "spool")
    ballast.fill()
    stack.hang_up()
    eventually(lambda: stack.said("the new process is not ready") > 0, "the old one stays")
    assert stack.post(HIT).status == 503
    ballast.drop()
    eventually(lambda: stack.said("event=reloaded") == 1, "reloaded")
    assert stack.post(HIT).status == 204

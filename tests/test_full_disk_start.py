"""A process that dies while the disk is full is replaced by one that refuses events until there is room."""

from __future__ import annotations

from pathlib import Path

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

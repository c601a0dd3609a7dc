"""`collector seal`, with the collector running or not; and that a running one seals by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import orjson

from collector.sealer import MARGIN_S
from tests.calling import call
from tests.loading import ALL_NEW, Place, hit
from tests.sealing import DAY_S, date_of
from tests.setting_aside import CONFIG, NODE
from tests.stack import TOKEN, Stack, eventually

OTHER_NODE = "0123456789abcdef"


def left_behind(data: Path, *days: int) -> None:
    """What an earlier life received on these days, and did not load."""
    place = Place(data, NODE)
    for day in days:
        place.write([(hit("/", day * 24 + 1), ALL_NEW)] * 12)
    (data / "node").write_bytes(orjson.dumps({"node": f"{NODE:016x}", "epoch": 1}))


def test_days_are_sealed_by_hand_and_by_itself(start_stack: Callable[..., Stack], tmp_path: Path) -> None:
    # Days are due some minutes past midnight: until then it is yesterday, as far as sealing goes.
    today = (int(time.time()) - MARGIN_S) // DAY_S
    left_behind(Stack.data_in(tmp_path / "stack0"), today - 6)
    stack = start_stack(config=CONFIG)
    eventually(lambda: "a day is sealed" in stack.log_text, "it seals a day that is long over")
    stack.stop()

    left_behind(stack.data, *range(today - 10, today - 2), today)
    told = stack.command("seal")
    assert told.returncode == 0, told.stderr
    # What came for days before the sealed one was late, and is sealed already.
    due = date_of(today + 3)
    assert [line.partition(":")[0] for line in told.stdout.splitlines()] == [
        *(f"{date_of(day)}  sealed" for day in range(today - 5, today - 2)),
        f"{date_of(today)}  not due before {due}T00",
    ]
    stack.start()
    told = stack.command("seal")
    assert told.stdout == f"{date_of(today)}  not due before {due}T00:10:00Z\nNothing was to be sealed.\n", told.stderr
    answer = stack.ask("pages", property="www.example.org", by="path", from_=date_of(today - 10), interval="day")
    assert [row[1:3] for row in answer["rows"]] == [["/", 12]] * 4 + [["/", 24]] + [["/", 12]] * 4
    assert stack.metrics()["collector_days_unsealed_late"] == 0
    refuses_what_is_no_dead_node(stack)
    stack.stop()


def refuses_what_is_no_dead_node(stack: Stack) -> None:
    told = stack.command("seal", "--node", f"{NODE:016x}")
    assert (told.returncode, told.stdout) == (1, "")
    assert "Error: node: this is the node that runs here: it seals its own days" in told.stderr
    assert "a node is 16 hex digits" in stack.command("seal", "--node", "7").stderr
    assert stack.command("seal", "--node", OTHER_NODE).stdout == "Nothing was to be sealed.\n"
    for path in ("/api/v1/seal", f"/api/v1/seal/{OTHER_NODE}"):
        assert call(stack.analyst, "POST", path, None, {"Authorization": f"Bearer {TOKEN}"}).status == 403
        assert call(stack.analyst, "POST", path).status == 401
        operators = (stack.data / "operator.token").read_text().strip()
        assert call(stack.analyst, "GET", path, None, {"Authorization": f"Bearer {operators}"}).status == 405
        assert call(stack.analyst, "POST", path, None, {"Authorization": f"Bearer {operators}"}).status == 200


def test_a_name_that_is_no_node_is_refused_before_anything_is_asked(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack(config=CONFIG)
    stack.stop()
    for name in ("0x12", "", "0123456789ABCDEF"):
        told = stack.command("seal", "--node", name)
        assert (told.returncode, told.stderr) == (1, "Error: --node: a node is 16 hex digits, as in its DATA/node\n")

"""What anybody can make up is named up to a cap, per property and day, whatever process meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.catalogue.declarations import read_declarations
from collector.cell import DIRECT, OTHER, UNKNOWN
from collector.count.filter import COUNTS, DAY_S, SharedMemory
from collector.event import Event, Fact
from tests.copying import copied_code, edit
from tests.counting import today
from tests.naming import (
    CAP,
    DAY,
    LAYOUT,
    PROCESSES,
    SHARED_BYTES,
    SITE,
    VALUES,
    caps_in,
    hit,
    named_by,
    path_of,
)
from tests.stack import Stack, eventually

NOON_S = DAY * DAY_S + DAY_S // 2
CONFIG = """
trusted_proxies = ["127.0.0.0/8"]
[[site]]
id = "www.example.org"
hosts = ["www.example.org"]
routes = ["/**"]
"""


def new_memory(day: int = DAY) -> SharedMemory:
    memory = SharedMemory.create(epoch=1)
    memory.tend(day * DAY_S + DAY_S // 2)
    return memory


def named(memory: SharedMemory, cap: int, paths: range, *, day: int = DAY, site: str = SITE) -> int:
    """How many of these paths a worker that just started names."""
    caps = caps_in(memory, cap)
    return sum(path_of(caps.capped(hit(f"/{number}", day=day, site=site))) != OTHER for number in paths)


def test_the_first_values_stay_and_further_ones_become_other() -> None:
    caps = caps_in(new_memory(), cap=3)
    assert [path_of(caps.capped(hit(path))) for path in "abcdabce"] == ["a", "b", "c", OTHER, "a", "b", "c", OTHER]


def test_every_open_fact_has_a_cap_of_its_own_and_what_is_closed_has_none() -> None:
    caps = caps_in(new_memory(), cap=1)
    caps.capped(hit("/a", {"source": "a.example", "utm_source": "a", "utm_medium": "a", "utm_campaign": "a"}))
    told: dict[str, Fact] = {"source": "b.example", "utm_source": "b", "utm_medium": "a", "country": "DE"}
    kept = dict(zip(LAYOUT.facts, caps.capped(hit("/a", told)).facts, strict=True))
    assert [kept[name] for name in ("path", "source", "utm_source", "utm_medium", "country")] == [
        "/a",
        OTHER,
        OTHER,
        "a",
        "DE",
    ]


def test_the_open_facts_are_those_of_the_vocabularies_with_a_pattern() -> None:
    layouts = read_declarations().layouts
    assert {name for _, name in layouts["page_hit"].open_facts} == {
        "path",
        "source",
        "utm_source",
        "utm_medium",
        "utm_campaign",
    }
    assert [name for _, name in layouts["page_leave"].open_facts] == ["path"]
    assert layouts["update_check"].open_facts == layouts["download"].open_facts == ()


def test_reserved_values_take_no_room() -> None:
    caps = caps_in(new_memory(), cap=1)
    assert [path_of(caps.capped(hit(value))) for value in (OTHER, UNKNOWN, DIRECT, "/a", UNKNOWN)] == [
        OTHER,
        UNKNOWN,
        DIRECT,
        "/a",
        UNKNOWN,
    ]


def test_an_event_whose_values_are_in_is_the_same_event() -> None:
    caps, event = caps_in(new_memory()), hit("/a")
    assert caps.capped(event) is event
    assert caps.capped(check := Event("update_check", "player", DAY * 24, ())) is check


def test_kinds_that_tell_the_same_dimension_share_its_cap() -> None:
    caps = caps_in(new_memory(), cap=1)
    caps.capped(hit("/a"))
    layout = read_declarations().layouts["page_leave"]
    facts = tuple("/b" if name == "path" else False for name in layout.facts)
    assert OTHER in caps.capped(Event("page_leave", SITE, DAY * 24, facts)).facts


def test_every_property_and_every_day_begins_anew() -> None:
    memory = new_memory()
    assert named(memory, 5, range(9)) == 5
    assert named(memory, 5, range(9), site="shop.example.org") == 5
    for day in range(DAY + 1, DAY + 9):
        memory.tend(day * DAY_S + DAY_S // 2)
        assert named(memory, 5, range(9), day=day) == 5


def test_a_worker_that_starts_again_goes_on_where_it_was() -> None:
    memory = new_memory()
    assert named(memory, 10, range(7)) == 7
    assert named(memory, 10, range(4, 20)) == 6
    assert named(memory, 10, range(30)) == 10


def test_late_events_are_counted_against_the_cap_of_their_own_day() -> None:
    """Its key is dead, so a value that was met before counts once more: less room, never more."""
    memory = new_memory()
    assert named(memory, 10, range(4)) == 4
    memory.tend((DAY + 1) * DAY_S + DAY_S // 2)
    assert memory.slot(DAY) is None
    assert named(memory, 10, range(100, 103)) == 3
    assert named(memory, 10, range(100, 103)) == 3
    memory.tend((DAY + 2) * DAY_S + 30)
    assert named(memory, 10, range(200, 220)) == 3
    assert named(memory, 10, range(9), day=DAY + 1) == 9
    memory.tend((DAY + 2) * DAY_S + DAY_S // 2)
    assert memory.counts(DAY - 1) is None
    assert named(memory, 10, range(3), day=DAY - 1) == 0


def test_where_a_machine_has_more_dimensions_than_the_table_has_room_for_further_ones_name_nothing() -> None:
    memory = new_memory()
    counts = memory.counts(DAY)
    assert counts
    for place in range(COUNTS):
        counts[2 * place] = place + 1
    assert named(memory, 10, range(3)) == 0


@pytest.mark.parametrize("killed", [False, True])
def test_processes_that_name_values_in_step_never_name_more_than_the_cap(killed: bool) -> None:  # noqa: FBT001 - a case
    memory = new_memory()
    memory.share()
    shared = os.memfd_create("naming")
    os.ftruncate(shared, SHARED_BYTES)
    fds = (memory.fd, shared)
    ran = [
        subprocess.Popen([sys.executable, "-m", "tests.naming", *map(str, (*fds, who))], pass_fds=fds)
        for who in range(PROCESSES)
    ]
    if killed:
        while not any(named_by(shared, 0)):
            os.sched_yield()
        for process in ran:
            process.kill()
    assert [process.wait() for process in ran] == [-9 if killed else 0] * PROCESSES
    found = [any(each) for each in zip(*(named_by(shared, who) for who in range(PROCESSES)), strict=True)]
    if killed:
        again = named(memory, CAP, range(VALUES, 2 * VALUES))
        assert 0 < sum(found) + again <= CAP
        assert sum(found) + again >= CAP - PROCESSES  # counted and not yet told
    else:
        assert CAP - 1 <= sum(found) <= CAP


@settings(max_examples=60, deadline=None)
@given(
    cap=st.integers(1, 6),
    steps=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.booleans()), max_size=60),
)
def test_any_order_of_values_workers_and_restarts_names_just_the_first(
    cap: int, steps: list[tuple[int, int, bool]]
) -> None:
    memory = MEMORY
    site = f"site-{next(NUMBERS)}"
    workers = [caps_in(memory, cap) for _ in range(3)]
    first: list[int] = []
    for who, value, restarts in steps:
        if restarts:
            workers[who] = caps_in(memory, cap)
        if value not in first and len(first) < cap:
            first.append(value)
        kept = path_of(workers[who].capped(hit(f"/{value}", site=site)))
        assert kept == (f"/{value}" if value in first else OTHER)


MEMORY = new_memory()
NUMBERS = iter(range(10**6))


# --- through the front door -------------------------------------------------------------------------------------------


def hits(paths: range) -> list[dict[str, str]]:
    return [{"kind": "page_hit", "site": SITE, "url": f"https://{SITE}/page/{number}"} for number in paths]


def send(stack: Stack, paths: range, first: int = 0) -> None:
    """One hit each, from as many networks as make a crowd."""
    for number, start in enumerate(range(0, len(paths), 100), first):
        headers = {"X-Forwarded-For": f"198.51.{number % 40}.7"}
        assert stack.post(hits(paths[start:][:100]), headers).json["rejected"] == []


def pages(stack: Stack, events: int) -> dict[str, int]:
    """The events of each page, once all are in the database."""

    def ask() -> dict[str, Any]:
        return stack.ask("pages", property=SITE, by="path", limit=10_000, **today())

    eventually(lambda: bool(ask()["totals"]["events"] >= events), f"{events} events")
    answer = ask()
    place = answer["columns"].index("path"), answer["columns"].index("events")
    rows = {row[place[0]]: row[place[1]] for row in answer["rows"]}
    assert sum(rows.values()) == answer["totals"]["events"] == events
    return rows


def test_of_6000_paths_5000_are_named_and_the_rest_is_other(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack(config=CONFIG, workers=2)
    send(stack, range(6000))
    found = pages(stack, 6000)
    assert found.pop(OTHER) == 1000
    assert len(found) == 5000
    assert set(found.values()) == {1}


@pytest.mark.slow
def test_a_small_declared_cap_holds_over_killed_workers_and_nothing_more_is_spooled(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    code = copied_code(tmp_path / "copy")
    edit(code / "schemas" / "buckets.toml", "cap = 5000", "cap = 30")
    stack = start_stack(config=CONFIG, workers=2, code=code, environ={"COLLECTOR_SEGMENT_S": "3600"})
    for number in range(20):
        send(stack, range(2 * number, 2 * number + 2), first=number)
    spooled = b"".join(file.read_bytes() for file in (stack.data / "spool").rglob("*") if file.is_file())
    assert spooled.count(b"/page/") == 30
    for number in range(5):
        stack.kill("worker")
        send(stack, range(100 + 10 * number, 110 + 10 * number))
    send(stack, range(30))
    stack.restart()
    found = pages(stack, 120)
    assert found.pop(OTHER) == 10 + 50
    assert sorted(found.values()) == [2] * 30

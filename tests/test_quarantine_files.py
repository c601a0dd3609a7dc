"""The files in quarantine and what the loader counts of them, and who may ask for how much at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest
from aiohttp import ClientSession, web

from collector.analyst.api import build_app
from collector.analyst.askers import Askers
from collector.analyst.blocking import MAX_WAITING
from collector.analyst.quarantine import BASE, QuarantineRoutes
from collector.analyst.tokens import operator_token
from collector.quarantine import NotKept, NotTriable
from collector.stats.answer import Answers
from collector.stats.open_days import OpenDays
from collector.stats.shown_file import ShownFile
from collector.warehouse.batch import SUFFIX
from collector.warehouse.engine import Engine
from collector.warehouse.server import Server
from tests.loading import DECLARATIONS, HOUR, Counted, Place, hit
from tests.memory_reading import REGISTRY, MemoryReading, SteppedClock

EARLIER = 7  # an epoch that is not the loader's
Result = TypeVar("Result")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def nobody() -> Iterator[Engine]:
    """A server where none listens."""
    with closing(Server("http://nobody@127.0.0.1:1/counts")) as server:
        yield server


def set_aside(place: Place, engine: Engine) -> str:
    """Freeze what is in the spool, and put the file where the loader puts what is refused; its name."""
    assert place.loader(engine).load_ready() == 0
    (frozen,) = (place.data / "frozen").iterdir()
    return frozen.rename(place.data / "quarantine" / frozen.name).name


def test_what_an_earlier_life_left_frozen_is_counted_as_recovered_once(place: Place, nobody: Engine) -> None:
    place.write([(hit("/a"), 0), (hit("/b", HOUR + 24), 0)], epoch=EARLIER)
    place.write([(hit("/c"), 0)], epoch=EARLIER)
    for counted in (Counted(), Counted()):  # the first one freezes, the second one finds what it froze
        loader = place.loader(nobody, counted)
        for _ in range(4):
            assert loader.load_ready() == 0
        assert (counted.of_earlier, counted.pending, counted.frozen) == (3, 3, 2)


def test_segments_that_a_damaged_file_may_stand_for_are_recovered_and_pending(place: Place, nobody: Engine) -> None:
    place.write([(hit("/a"), 0)], epoch=EARLIER)
    assert place.loader(nobody).load_ready() == 0
    (frozen,) = (place.data / "frozen").iterdir()
    frozen.write_bytes(b"COLBATCH, damaged")
    counted = Counted()
    loader = place.loader(nobody, counted)
    for _ in range(3):
        assert loader.load_ready() == 0
    assert (counted.of_earlier, counted.pending, counted.aside_files) == (1, 1, 1)
    (kept,) = loader.quarantine.list()
    assert (kept.name, kept.events) == (frozen.name, None)
    with pytest.raises(NotTriable, match="damaged on disk"):
        loader.retry(kept.name)


def test_batches_that_are_damaged_on_disk_are_shown_as_such_and_not_tried(place: Place, nobody: Engine) -> None:
    place.write([(hit("/a"), 0), (hit("/b", HOUR + 24), 0)])
    path = place.data / "quarantine" / set_aside(place, nobody)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    loader = place.loader(nobody)
    assert [batch["damaged"] for batch in loader.quarantine.show(path.name)["batches"]] == [False, True]
    with pytest.raises(NotTriable, match="damaged on disk"):
        loader.retry(path.name)
    assert path.exists()


def test_what_is_given_up_does_not_come_back_from_segments_that_a_crash_left(place: Place, nobody: Engine) -> None:
    left = place.write([(hit("/a"), 0)])
    name = set_aside(place, nobody)
    assert left.exists()
    assert place.loader(nobody).quarantine.drop(name).events == 1
    assert place.files() == []


def test_a_file_is_taken_back_once(place: Place, nobody: Engine) -> None:
    place.write([(hit("/a"), 0)])
    name = set_aside(place, nobody)
    counted = Counted()
    loader = place.loader(nobody, counted)
    assert loader.retry(name).waiting == 1
    with pytest.raises(NotKept):
        loader.retry(name)
    assert (counted.of_earlier, counted.pending) == (1, 1)
    assert place.files() == [name]
    assert [path.name for path in (place.data / "frozen").iterdir()] == [name]
    assert name.endswith(SUFFIX)


async def test_while_the_loader_is_busy_those_who_are_too_many_are_told_to_come_again(
    place: Place, nobody: Engine
) -> None:
    done = threading.Event()
    clock = SteppedClock(0)
    open_days = OpenDays(ShownFile(place.data / "shown.sqlite", clock), DECLARATIONS.threshold, 0)
    answers = Answers(DECLARATIONS, REGISTRY, MemoryReading(DECLARATIONS), clock, open_days)
    with ThreadPoolExecutor(1) as loading:
        loading.submit(done.wait)

        def run_loading(ask: Callable[[], Result]) -> Awaitable[Result]:
            return asyncio.get_running_loop().run_in_executor(loading, ask)

        routes = QuarantineRoutes(place.loader(nobody), run_loading).routes()
        app = build_app(answers, Askers(place.data, None, clock), bytes, run_loading, routes)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        headers = {"Authorization": f"Bearer {operator_token(place.data)}"}

        async with ClientSession(headers=headers) as session:

            async def ask() -> int:
                async with session.get(f"http://{host}:{port}{BASE}") as response:
                    return response.status

            asked = [asyncio.create_task(ask()) for _ in range(MAX_WAITING + 1)]
            first, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            assert [task.result() for task in first] == [503]
            done.set()
            assert sorted(await asyncio.gather(*asked)) == [200] * MAX_WAITING + [503]
        await runner.cleanup()

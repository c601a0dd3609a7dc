"""Who tries to sign in by the thousand: keeps nobody out that he cannot name, and learns nothing about who there is."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from collector.analyst.tries import IN_RESERVE, NAME_EVERY_S, OVER_ALL, Tries
from tests.front_desk import NOON, PASSWORD, Desk, add_people, front_desk
from tests.memory_reading import SteppedClock

ANNA = {"name": "anna", "password": PASSWORD}


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with front_desk(tmp_path) as desk:
        add_people(desk)
        yield desk


async def flood(desk: Desk) -> None:
    """Use up all tries there are with made-up names."""
    made_up = ({"name": f"nobody-{number}", "password": "x"} for number in range(OVER_ALL))
    assert {(await desk.sign_in(given)).status for given in made_up} == {401}


async def tried(desk: Desk, name: str) -> tuple[float, int, str | None, bytes]:
    """How long a wrong password takes, and everything that is answered."""
    began = time.perf_counter()
    response = await desk.sign_in({"name": name, "password": "not the right one"})
    return time.perf_counter() - began, response.status, response.headers.get("Retry-After"), await response.read()


@pytest.mark.slow
async def test_made_up_names_keep_nobody_out_and_learn_nothing_of_who_there_is(desk: Desk) -> None:
    await flood(desk)
    assert [(await desk.sign_in(ANNA)).status for _ in range(2)] == [204, 204]
    answers = await asyncio.gather(*(tried(desk, name) for name in ["anna", "nobody"] * IN_RESERVE))
    assert {answer[1:] for answer in answers} == {(429, "1", b'{"error":{"code":"too_many_tries"}}')}
    known, unknown = (min(answer[0] for answer in answers[side::2]) for side in (0, 1))
    assert 0.5 < known / unknown < 2  # without waiting for what an argon2 may take: more than 5
    assert (await desk.sign_in(ANNA)).status == 429  # her few tries are used up by who knows her name
    assert (await desk.sign_in({"name": "vera", "password": PASSWORD})).status == 204
    desk.clock.at += 60
    assert (await desk.sign_in(ANNA)).status == 204


def test_what_is_told_of_a_name_does_not_depend_on_its_reserve() -> None:
    for seed in range(60):
        dice, clock = random.Random(seed), SteppedClock(NOON)
        with_reserve, without = Tries(clock), Tries(clock)
        for _ in range(200):
            name = dice.choice(["anna", "vera", *(f"nobody-{number}" for number in range(40))])
            clock.at += dice.choice([0, 0, 0, 0.2, 1, NAME_EVERY_S])
            waits = with_reserve.take(name), without.take(name)
            assert waits[0] == waits[1]
            if waits[0]:
                free = with_reserve.is_free(name), without.is_free(name)
                assert free[0] == free[1]
                if free[0] and with_reserve.take_reserve(name) and dice.random() < 0.5:
                    with_reserve.give_back_reserve(name)

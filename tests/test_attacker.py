"""Whoever may ask everything, whenever, learns no value of theirs about fewer than k networks (attack.py)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pytest

from tests.attack import Attacker, K
from tests.known_traffic import LARGE, SMALL, KnownReading, Sent, traffic
from tests.memory_reading import DAY_S, PLAYER, SITE
from tests.stats_desk import Desk, declared

DAY = 20_779
FEW = {LARGE: 200, SMALL: 45, PLAYER: 110}
MANY = {LARGE: 2_500, SMALL: 120, PLAYER: 700}


def attacked(people: dict[str, int], live_fold_s: float, every_s: int | None) -> Attacker:
    """Two days of traffic under attack: whenever something came, or, on the second day, every so many seconds.

    At noon of that day a new epoch begins and another process answers, and at six another process again.
    """
    reading = KnownReading(declared())
    desk = Desk(live_fold_s, reading)
    attacker = Attacker(desk, reading)
    restarts = [DAY * DAY_S + 12 * 3_600, DAY * DAY_S + 18 * 3_600]
    for day in (DAY - 1, DAY):
        step = every_s if day == DAY else None
        for at, arrived in looks(traffic(day, day, people), day, step):
            desk.clock.at = at
            for one in arrived:
                reading.count(one)
            for property_id in {one.property for one in arrived} if step is None else people:
                attacker.poll(property_id)
            if restarts and at >= restarts[0]:
                reading.epoch += len(restarts) == 2
                restarts.pop(0)
                attacker.ask_everything()
                desk.restart()
                attacker.ask_everything()
        attacker.ask_everything()
    desk.close()
    return attacker


def looks(sent: list[Sent], day: int, every_s: int | None) -> Iterator[tuple[int, list[Sent]]]:
    """When the attacker looks, and what came since the time before."""
    step = every_s or 10
    arrived = {tick: list(some) for tick, some in groupby(sent, lambda one: -(-one.at // step))}
    if every_s is None:
        yield from ((tick * step, some) for tick, some in arrived.items())
        return
    for tick in range(day * DAY_S // step, (day + 1) * DAY_S // step):
        yield tick * step, arrived.get(tick, [])


def test_an_attacker_who_asks_after_every_event_learns_no_value_of_theirs_about_fewer_than_k_networks() -> None:
    attacker = attacked(FEW, live_fold_s=3_600, every_s=None)
    assert attacker.leaks == []
    assert attacker.told > 500


def test_the_same_attacker_learns_one_where_every_answer_is_folded_anew() -> None:
    attacker = attacked({LARGE: 60, SMALL: 30, PLAYER: 40}, live_fold_s=0, every_s=None)
    assert any(leak.startswith("1:") for leak in attacker.leaks)


@pytest.mark.slow
def test_an_attacker_who_asks_every_ten_seconds_of_a_day_learns_no_more() -> None:
    attacker = attacked(MANY, live_fold_s=3_600, every_s=10)
    assert attacker.leaks == []
    assert attacker.told > 10_000


def test_who_brings_nine_networks_of_his_own_learns_of_the_tenth() -> None:
    """The limit of it: k counts networks, and whose they are it does not know. Nine of yours and one are ten."""
    reading = KnownReading(declared())
    desk = Desk(3_600, reading)
    for network in range(K):
        whose = "somebody" if network == K - 1 else f"attacker {network}"
        facts = {"entry": False, "path": "/", "country": "is"}
        at = int(desk.clock.at)
        reading.count(Sent(at=at, node=1, property=SITE, kind="page_hit", facts=facts, visitor=whose, network=whose))
    ((country, events, visitors),) = desk.ask("countries", by="country").rows
    assert (country, visitors) == ("is", K)
    told = reading.people_behind(int(events or 0))
    assert told - {f"attacker {network}" for network in range(K - 1)} == {"somebody"}
    desk.close()

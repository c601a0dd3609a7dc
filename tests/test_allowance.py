"""One network that sends too much is told to wait and takes nothing from the others; nobody learns anything from it."""

from __future__ import annotations

import asyncio
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Mapping

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.catalogue.registry import read_registry
from collector.door.allowance import BYTES_AT_ONE, WINDOW_S, Allowance
from collector.door.caller import packed
from collector.tools.wire import Said, request, say
from tests.memory_reading import SteppedClock
from tests.nasty import texts_within
from tests.open_door import OpenDoor, open_door

NOW = 1_795_600_000
HIT = orjson.dumps({"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/pricing"})
LOUD, NEIGHBOUR, QUIET = "81.2.69.142", "81.2.69.7", "81.2.70.142"
NOBODYS = (
    *("127.0.0.1", "10.1.2.3", "172.17.0.1", "192.168.1.1", "100.64.0.1", "169.254.1.1", "0.0.0.0"),
    *("::1", "fd00::1", "fe80::1"),
)
LIMIT = 5 * WINDOW_S


def allowance(per_s: float = 5) -> tuple[Allowance, SteppedClock]:
    clock = SteppedClock(1000.0)
    return Allowance(per_s, clock.now), clock


def taken(of: Allowance, *addresses: str) -> int:
    """How many of these callers may ask."""
    return sum(of.left(packed(address) or b"") for address in addresses)


# --- the count --------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 80), st.integers(0, 12)), max_size=30), st.integers(0, 20))
def test_no_network_gets_more_than_its_allowance_in_a_window_and_one_alone_gets_all_of_it(
    steps: list[tuple[int, int, int]], per_s: int
) -> None:
    of, clock = allowance(per_s)
    begins, given_to = 0.0, Counter[int]()
    for network, asks, later_s in steps:
        clock.at += later_s
        if clock.at >= begins + WINDOW_S:
            begins, given_to = clock.at, Counter()
        got = taken(of, *[f"81.2.{network}.{ask}" for ask in range(asks)])
        given_to[network] += got
        if per_s == 0:
            assert got == asks
        else:
            assert given_to[network] <= per_s * WINDOW_S
            assert len(given_to) > 1 or got == asks or given_to[network] == per_s * WINDOW_S


def test_a_network_is_a_24_or_a_48_and_all_its_addresses_share() -> None:
    of, _ = allowance()
    assert taken(of, *["81.2.69.142", "81.2.69.7"] * LIMIT) == LIMIT
    assert taken(of, QUIET) == 1
    assert taken(of, *["2a00:1:1::1", "2a00:1:1:9::2"] * LIMIT) == LIMIT
    assert taken(of, "2a00:1:2::1") == 1


def test_an_address_that_is_nobodys_on_the_internet_has_no_limit() -> None:
    of, _ = allowance()
    for address in NOBODYS:
        assert taken(of, *[address] * 3 * LIMIT) == 3 * LIMIT, address


def test_a_large_body_counts_for_as_many_requests_as_it_is_worth() -> None:
    of, _ = allowance()
    loud = packed(LOUD) or b""
    assert of.left(loud)
    of.also(loud, BYTES_AT_ONE)  # an event of the usual size is in the request
    of.also(loud, BYTES_AT_ONE * (LIMIT - 2))
    assert taken(of, LOUD, LOUD) == 1


def test_what_is_counted_is_forgotten_with_its_window_and_who_shared_a_number_does_not_any_more() -> None:
    of, clock = allowance(0.1)
    networks = [f"{first}.{second}.0.1" for first in range(20, 50) for second in range(100)]
    refused = []
    for _ in range(2):
        assert taken(of, *networks[:1]) == 1
        refused.append({network for network in networks[1:] if not taken(of, network)})
        clock.at += WINDOW_S
    assert refused[0]  # 3,000 networks in 16,384 cells: some 250 meet
    assert 0 < len(refused[1]) < 500
    assert len(refused[0] & refused[1]) < min(map(len, refused)) / 2
    assert taken(of, LOUD) == 1


def test_nothing_of_an_address_can_be_read_in_it() -> None:
    of, _ = allowance()
    taken(of, *[f"81.2.{network}.7" for network in range(250)])
    held = texts_within(of)
    assert "81.2" not in held
    assert "Q\\x02" not in held  # 81.2 as bytes
    assert all(asked < 20 for asked in of._cells)  # noqa: SLF001 - the whole memory of it: sums, and no hash
    assert len(of._cells) == 16_384  # noqa: SLF001 - and as many of them, whoever calls


# --- the front door ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OpenDoor]:
    """A door that lets a network ask 50 times in ten seconds, which do not pass."""
    of, _ = allowance()
    text = '[[site]]\nid = "www.example.org"\nhosts = ["www.example.org"]\nroutes = ["/**"]\n'
    text += '[[product]]\nid = "player"\nversions = ["1.4.2"]\n'
    text += '[[link]]\nid = "forum"\nproperty = "www.example.org"\nurl = "https://forum.example.net/"\n'
    text += '[[aptabase]]\nkey = "A-SH-0000000001"\nproduct = "player"\nevent = [{name = "a", kind = "install"}]\n'
    async with open_door(
        tmp_path_factory.mktemp("allowance") / "data", NOW, registry=read_registry(tomllib.loads(text)), allowance=of
    ) as door:
        yield door


async def send(door: OpenDoor, sent: bytes) -> Said:
    return await asyncio.to_thread(say, door.url.removeprefix("http://"), sent)


def hit(caller: str, body: bytes = HIT, more: Mapping[str, str] | None = None) -> bytes:
    return request(body, {"X-Forwarded-For": caller, "User-Agent": "Mozilla/5.0", **(more or {})})


async def exhaust(door: OpenDoor, caller: str) -> Counter[str]:
    """Use all of its network's allowance; what was seen then."""
    for _ in range(LIMIT):
        assert (await send(door, hit(caller))).status == 204
    return door.seen()


async def test_beyond_its_allowance_a_network_is_told_to_wait_and_others_are_not(door: OpenDoor) -> None:
    before = await exhaust(door, LOUD)
    for caller in (LOUD, NEIGHBOUR, f"8.8.8.8, {LOUD}"):
        said = await send(door, hit(caller))
        assert (said.status, said.code) == (429, "too_fast")
        assert b"\r\nRetry-After: 10\r\n" in said.head
    assert (await send(door, hit(LOUD, more={"Sec-GPC": "1"}))).status == 429  # the same for who opted out
    for caller in (QUIET, "2a00:1:1::1", "10.1.1.1", "127.0.0.1"):
        assert (await send(door, hit(caller))).status == 204
    gained = door.seen() - before
    assert (gained["received"], gained["accepted"]) == (4, 4)


async def test_whatever_takes_events_and_whatever_tells_something_is_limited(door: OpenDoor) -> None:
    before = await exhaust(door, "81.3.1.1")
    loud = {"X-Forwarded-For": "81.3.1.1", "App-Key": "A-SH-0000000001"}
    for method, path in (
        *(("POST", path) for path in ("/v1/events", "/api/event", "/api/v0/event", "/api/v0/events", "/v1/uninstall")),
        *(("GET", path) for path in ("/v1/uninstall", "/v1/what-you-see-of-me", "/v1/ledger.json", "/privacy")),
    ):
        said = await send(door, request(HIT if method == "POST" else b"", loud, method=method, path=path))
        assert (said.status, path) == (429, path)
    assert door.seen() == before
    assert (await send(door, request(b"", loud, method="GET", path="/healthz"))).status == 200


async def test_an_answer_that_does_not_depend_on_its_event_comes_and_nothing_is_counted(door: OpenDoor) -> None:
    asked = {
        "/go/forum": 302,
        "/v1/pixel.gif?site=www.example.org&p=/": 200,
        "/v1/check?product=player&v=1.4.2&os=windows": 204,
    }
    answers: dict[str, Said] = {}
    before = await exhaust(door, "81.4.1.1")
    for caller in ("81.5.1.1", "81.4.1.1"):
        for path, status in asked.items():
            said = await send(door, request(headers={"X-Forwarded-For": caller}, method="GET", path=path))
            assert said.status == status
            assert answers.setdefault(path, said) == said
    await send(door, request(headers={"X-Forwarded-For": "81.4.1.1", "DNT": "1"}, method="GET", path="/go/forum"))
    gained = door.seen() - before
    assert gained["not_counted limited"] == len(asked)
    assert gained["not_counted opt_out"] == 1
    assert gained["received"] == gained["accepted"] + gained["not_counted"] == 2 * len(asked) + 1


async def test_many_events_in_a_body_use_up_more_of_it(door: OpenDoor) -> None:
    body = b"[" + b",".join([HIT] * 100) + b"]"
    assert len(body) // BYTES_AT_ONE > 30
    answers = [(await send(door, hit("81.6.1.1", body))).status for _ in range(4)]
    assert answers == [200, 200, 429, 429]

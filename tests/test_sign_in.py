"""Signing in and out: passwords, links that work once, cookies, and how often anybody may try."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median

import orjson
import pytest
import pytest_asyncio

from collector.analyst.roles import Role
from collector.analyst.tries import OF_A_NAME, OVER_ALL, Tries
from tests.front_desk import NOON, PASSWORD, SESSION, Desk, add_people, front_desk
from tests.memory_reading import SteppedClock

ANNA = {"name": "anna", "password": PASSWORD}
HTTPS = {"X-Forwarded-Proto": "https", "Host": "stats.example.org"}
OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with front_desk(tmp_path) as desk:
        add_people(desk)
        yield desk


# --- sessions ---------------------------------------------------------------------------------------------------------


async def test_on_this_machine_a_session_is_a_plain_cookie_that_no_script_and_no_other_site_has(desk: Desk) -> None:
    response = await desk.sign_in(ANNA)
    assert response.status == 204
    cookie = response.cookies["collector"]
    assert len(cookie.value) >= 43
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/", True, "Strict")
    assert (cookie["secure"], cookie["domain"], cookie["max-age"]) == ("", "", "43200")
    assert (await desk.who(cookie.value))[1]["name"] == "anna"


async def test_over_https_the_cookie_is_bound_to_the_host_and_to_https(desk: Desk) -> None:
    response = await desk.sign_in(ANNA, HTTPS)
    assert response.status == 204
    cookie = response.cookies["__Host-collector"]
    assert (cookie["path"], cookie["httponly"], cookie["samesite"]) == ("/", True, "Strict")
    assert (cookie["secure"], cookie["domain"]) == (True, "")

    async def status(name: str, **headers: str) -> int:
        sent = headers | {"Cookie": f"{name}={cookie.value}"}
        return (await desk.call("GET", SESSION, headers=sent)).status

    assert await status("__Host-collector", **HTTPS) == 200
    assert await status("collector", **HTTPS) == 401
    assert await status("__Host-collector") == 401
    assert await status("__Host-collector", Host="stats.example.org") == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "stats.example.org"},
        {"Host": "192.0.2.7:8081"},
        {"Host": "localhost.example.org"},
        {"X-Forwarded-Proto": "http"},
        {"X-Forwarded-Proto": "https, http"},
    ],
)
async def test_nobody_signs_in_where_a_password_could_be_read_on_its_way(desk: Desk, headers: dict[str, str]) -> None:
    response = await desk.sign_in(ANNA, headers)
    assert response.status == 400
    assert orjson.loads(await response.read()) == {"error": {"code": "insecure"}}


async def test_only_a_trusted_proxy_is_believed_that_it_is_https(tmp_path: Path) -> None:
    async with front_desk(tmp_path, proxies=()) as desk:
        add_people(desk)
        assert (await desk.sign_in(ANNA, HTTPS)).status == 400


async def test_a_session_ends_twelve_hours_after_it_began_used_or_not(desk: Desk) -> None:
    cookie = await desk.cookie_of(ANNA)
    for at, status in [(1, 200), (12 * 3600 - 1, 200), (12 * 3600, 401), (48 * 3600, 401)]:
        desk.clock.at = NOON + at
        assert (await desk.who(cookie))[0] == status


async def test_signing_out_ends_this_session_and_no_other(desk: Desk) -> None:
    mine, other = await desk.cookie_of(ANNA), await desk.cookie_of(ANNA)
    response = await desk.call("DELETE", SESSION, cookie=mine, headers=OWN)
    assert response.status == 204
    assert response.cookies["collector"].value == ""
    assert [(await desk.who(each))[0] for each in (mine, other)] == [401, 200]


async def test_sessions_outlive_a_restart_and_only_their_hashes_are_kept(desk: Desk) -> None:
    cookie = await desk.cookie_of(ANNA)
    kept = (desk.data / "sessions.json").read_bytes()
    assert cookie.encode() not in kept
    assert [each.keys() for each in orjson.loads(kept)] == [{"name", "sha256", "expires"}]
    async with front_desk(desk.data) as again:
        assert (await again.who(cookie))[0] == 200


async def test_who_is_removed_or_has_another_password_is_out_at_once(desk: Desk) -> None:
    first, second = await desk.cookie_of(ANNA), await desk.cookie_of({"name": "vera", "password": PASSWORD})
    desk.askers.users.remove("anna")
    assert [(await desk.who(each))[0] for each in (first, second)] == [401, 200]
    assert (await desk.sign_in(ANNA)).status == 401


async def test_a_damaged_file_admits_nobody_and_is_not_written_over(desk: Desk) -> None:
    cookie = await desk.cookie_of(ANNA)
    for name in ("users.json", "sessions.json"):
        whole = (desk.data / name).read_bytes()
        for damage in (b"{", b"7", b'[{"name": "anna"}]', whole[:-3]):
            (desk.data / name).write_bytes(damage)
            assert (await desk.who(cookie))[0] == 401
            assert (await desk.sign_in(ANNA)).status in (401, 503)
            assert (desk.data / name).read_bytes() == damage
        (desk.data / name).write_bytes(whole)
        assert (await desk.who(cookie))[0] == 200


# --- links ------------------------------------------------------------------------------------------------------------


async def test_a_link_signs_in_once(desk: Desk) -> None:
    code = desk.askers.codes.create("vera")
    assert (await desk.who(await desk.cookie_of({"code": code})))[1]["name"] == "vera"
    assert (await desk.sign_in({"code": code})).status == 401


async def test_a_link_signs_in_one_of_those_who_use_it_at_the_same_time(desk: Desk) -> None:
    code = desk.askers.codes.create("operator")
    statuses = await asyncio.gather(*((desk.sign_in({"code": code})) for _ in range(8)))
    assert sorted(each.status for each in statuses) == [204] + [401] * 7


@pytest.mark.parametrize(("after_s", "status"), [(24 * 3600 - 1, 204), (24 * 3600, 401)])
async def test_a_link_is_good_for_a_day(desk: Desk, after_s: int, status: int) -> None:
    code = desk.askers.codes.create("operator")
    desk.clock.at += after_s
    assert (await desk.sign_in({"code": code})).status == status


async def test_a_link_of_somebody_who_was_removed_signs_nobody_in(desk: Desk) -> None:
    code = desk.askers.codes.create("vera")
    desk.askers.users.remove("vera")
    assert (await desk.sign_in({"code": code})).status == 401


async def test_a_code_in_the_address_is_no_code(desk: Desk) -> None:
    code = desk.askers.codes.create("operator")
    assert (await desk.call("POST", f"{SESSION}?code={code}", body={})).status == 400
    assert (await desk.call("GET", f"{SESSION}?code={code}")).status == 401
    assert (await desk.sign_in({"code": code})).status == 204


# --- what is no way in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"anna"',
        b"[" * 5000,
        b'{"name": "anna"}',
        b'{"password": "' + PASSWORD.encode() + b'"}',
        b'{"name": "anna", "password": 7}',
        b'{"name": ["anna"], "password": "x"}',
        b'{"name": "anna", "password": null}',
        b'{"name": "anna", "password": "x", "code": "y"}',
        b'{"name": "anna", "password": "x", "more": "y"}',
        b'{"name": "two words", "password": "x"}',
        b'{"name": "' + b"x" * 65 + b'", "password": "x"}',
        b'{"name": "anna", "password": "' + b"x" * 1025 + b'"}',
        b'{"name": "anna", "password": "\xff"}',
        b'{"code": ""}',
        b'{"code": "' + b"x" * 201 + b'"}',
        b'{"code": {}}',
    ],
)
async def test_a_body_of_another_form_is_refused_and_costs_no_try(desk: Desk, body: bytes) -> None:
    for _ in range(OF_A_NAME + 1):
        response = await desk.call("POST", SESSION, body=body)
        assert response.status == 400
        assert orjson.loads(await response.read()) == {"error": {"code": "bad_request"}}


async def test_only_json_signs_in_for_a_form_of_any_site_can_send_the_rest(desk: Desk) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert (await desk.sign_in(ANNA, {"Content-Type": content_type})).status == 400


async def test_a_large_body_is_not_read(desk: Desk) -> None:
    response = await desk.call("POST", SESSION, body=b" " * 8193)
    assert response.status == 413
    assert orjson.loads(await response.read()) == {"error": {"code": "too_large"}}


async def test_a_wrong_name_and_a_wrong_password_are_answered_alike_and_take_as_long(desk: Desk) -> None:
    async def refused(name: str) -> tuple[float, bytes]:
        began = time.perf_counter()
        response = await desk.sign_in({"name": name, "password": "not the right one"})
        assert response.status == 401
        return time.perf_counter() - began, await response.read()

    tried = [(await refused("anna"), await refused("nobody")) for _ in range(5)]
    known, unknown = (median(each[side][0] for each in tried) for side in (0, 1))
    assert {each[side][1] for each in tried for side in (0, 1)} == {b'{"error":{"code":"unauthorized"}}'}
    assert 0.5 < known / unknown < 2  # without argon2 for unknown names: more than 20


# --- how often --------------------------------------------------------------------------------------------------------


async def test_ten_thousand_tries_are_ended_by_429_and_the_right_user_waits_seconds(desk: Desk) -> None:
    wrong = {"name": "anna", "password": "not the right one"}
    statuses = [(await desk.sign_in(wrong)).status for _ in range(OF_A_NAME)]
    assert statuses == [401] * OF_A_NAME
    body = orjson.dumps(wrong)
    head = f"POST {SESSION} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    one = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    reader, writer = await asyncio.open_connection(*desk.address.split(":"))
    for _ in range(100):
        writer.write(one * 100)
        for _ in range(100):
            answer = await reader.readuntil(b"}}")
            assert answer.startswith(b"HTTP/1.1 429 ")
    writer.close()
    last = await desk.sign_in(ANNA)
    assert last.status == 429
    assert orjson.loads(await last.read()) == {"error": {"code": "too_many_tries"}}
    desk.clock.at += int(last.headers["Retry-After"])
    assert int(last.headers["Retry-After"]) <= 6
    assert (await desk.sign_in(ANNA)).status == 204


async def test_tries_of_one_name_leave_the_others_alone_and_a_session_and_a_link_are_not_tried(desk: Desk) -> None:
    cookie, code = await desk.cookie_of(ANNA), desk.askers.codes.create("anna")
    for _ in range(OF_A_NAME + 1):
        last = await desk.sign_in({"name": "anna", "password": "not the right one"})
    assert last.status == 429
    assert (await desk.sign_in({"name": "vera", "password": PASSWORD})).status == 204
    assert (await desk.who(cookie))[0] == 200
    assert (await desk.sign_in({"code": code})).status == 204


async def test_who_signs_in_rightly_may_do_so_as_often_as_there_is_need(desk: Desk) -> None:
    desk.askers.users.add("often", Role.ANALYST, [], PASSWORD)
    for _ in range(OF_A_NAME + 2):
        assert (await desk.sign_in({"name": "often", "password": PASSWORD})).status == 204


async def test_wrong_codes_end_in_429_and_a_right_one_is_taken_all_the_same(desk: Desk) -> None:
    code = desk.askers.codes.create("operator")
    statuses = [(await desk.sign_in({"code": "x" * 43})).status for _ in range(OF_A_NAME + 1)]
    assert statuses == [401] * OF_A_NAME + [429]
    assert (await desk.sign_in({"code": code})).status == 204


def test_a_thousand_names_share_what_there_is_over_all_and_are_forgotten() -> None:
    clock = SteppedClock(NOON)
    tries = Tries(clock)
    waits = [tries.take(f"name-{number}") for number in range(1000)]
    assert waits == [0] * OVER_ALL + [1] * (1000 - OVER_ALL)
    clock.at += 1
    assert [tries.take("anna") for _ in range(3)] == [0, 0, 1]
    clock.at -= 3600  # a clock that is set back gives nothing, and takes nothing
    assert tries.take("anna") == 1
    clock.at += 7200
    assert [tries.take("anna") for _ in range(OF_A_NAME + 1)] == [0] * OF_A_NAME + [6]

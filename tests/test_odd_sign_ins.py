"""Signing in and out when something is odd: headers, bodies, proxies that say little, files and disks that fail."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from collector.analyst import api
from collector.analyst.roster import Roster
from collector.disk import DISK
from tests.front_desk import PASSWORD, SESSION, Desk, add_people, front_desk
from tests.memory_reading import SITE

ANNA = {"name": "anna", "password": PASSWORD}
OWN = {"Sec-Fetch-Site": "same-origin"}


@pytest_asyncio.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with front_desk(tmp_path) as desk:
        add_people(desk)
        yield desk


@pytest.mark.parametrize("origin", ["http://[", "https://[::1", "http://exa\u2100mple", "null", ""])
async def test_an_origin_that_is_no_address_is_another_one(desk: Desk, origin: str) -> None:
    assert (await desk.sign_in(ANNA, {"Origin": origin})).status == 403
    cookie = await desk.cookie_of(ANNA)
    assert (await desk.call("DELETE", SESSION, cookie=cookie, headers={"Origin": origin})).status == 403
    assert (await desk.who(cookie))[0] == 200


async def test_a_proxy_that_names_itself_as_host_makes_no_cookie_that_goes_over_plain_http(desk: Desk) -> None:
    passed_on = OWN | {"Host": "127.0.0.1:8081", "Origin": "https://stats.example.org"}
    response = await desk.sign_in(ANNA, passed_on)
    assert (response.status, "Set-Cookie" in response.headers) == (400, False)
    assert orjson.loads(await response.read()) == {"error": {"code": "insecure"}}
    assert (await desk.sign_in(ANNA, passed_on | {"X-Forwarded-Proto": "https"})).status == 204
    assert (await desk.sign_in(ANNA, OWN | {"Origin": f"http://{desk.address}"})).status == 204


async def test_a_body_that_is_not_what_it_says_is_refused(desk: Desk) -> None:
    response = await desk.call("POST", SESSION, headers={"Content-Encoding": "gzip"}, body=b"no gzip")
    assert (response.status, orjson.loads(await response.read())) == (400, {"error": {"code": "bad_request"}})


async def test_who_goes_away_within_a_body_is_no_failure(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    host, port = desk.address.split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {SESSION} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n"
    writer.write(f'{head}{{"a'.encode())
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.close()
    await asyncio.sleep(0.1)
    assert "question failed" not in "".join(capsys.readouterr())


async def test_signing_out_on_a_full_disk_is_told_and_may_be_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "no space")

    cookie = await desk.cookie_of(ANNA)
    with monkeypatch.context() as patch:
        patch.setattr(type(DISK), "write_durably", full)
        response = await desk.call("DELETE", SESSION, cookie=cookie, headers=OWN)
        assert (response.status, orjson.loads(await response.read())) == (503, {"error": {"code": "unavailable"}})
    assert (await desk.call("DELETE", SESSION, cookie=cookie, headers=OWN)).status == 204
    assert (await desk.who(cookie))[0] == 401


def test_a_file_that_cannot_be_read_for_a_moment_admits_nobody_for_that_moment_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_many_open(_: Path) -> bytes:
        raise OSError(24, "too many open files")

    def read(entry: dict[str, Any]) -> str:
        return str(entry["name"])

    (tmp_path / "users.json").write_bytes(b'[{"name": "anna"}]')
    roster = Roster(tmp_path / "users.json", read)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", too_many_open)
        assert roster.entries() == ()
    assert roster.entries() == ("anna",)


@pytest.mark.parametrize("form", ["json", "csv"])
async def test_a_body_of_many_rows_is_not_made_where_all_others_wait(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    made_in: list[threading.Thread] = []
    made = api.body_of

    def noted(answer: Any) -> bytes:
        made_in.append(threading.current_thread())
        return made(answer)

    monkeypatch.setattr(api, "body_of", noted)
    path = f"/api/v1/reports/pages?property={SITE}&by=path&format={form}"
    assert (await desk.call("GET", path, token=desk.operator_token)).status == 200
    assert made_in
    assert threading.main_thread() not in made_in

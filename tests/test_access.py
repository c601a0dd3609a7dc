"""Who may do what on the analyst port: every route that it has, asked by everybody there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, TypedDict, Unpack

import orjson
import pytest
import pytest_asyncio
from aiohttp import web

from collector.analyst.roles import Role
from tests.front_desk import ANALYST_TOKEN, PASSWORD, SESSION, Desk, add_people, front_desk
from tests.memory_reading import OTHER_SITE, PLAYER, SITE

REPORT = "/api/v1/reports/pages"

# Every route, and the lowest who may use it. A route that is not here fails the matrix, one without a rule is refused.
MATRIX = {
    ("GET", "/"): "anyone",
    ("GET", "/assets/{name}"): "anyone",
    ("GET", "/metrics"): "anyone",
    ("GET", "/readyz"): "anyone",
    ("GET", "/docs"): "anyone",
    ("GET", "/docs.css"): "anyone",
    ("GET", "/api/v1/openapi.json"): "anyone",
    ("POST", SESSION): "anyone",
    ("GET", SESSION): "reader",
    ("DELETE", SESSION): "reader",
    ("GET", "/api/v1/reports"): "reader",
    ("GET", "/api/v1/reports/{report}"): "reader",
    ("GET", "/api/v1/dictionary"): "reader",
    ("GET", "/api/v1/properties"): "reader",
    ("GET", "/api/v1/live"): "reader",
    ("GET", "/api/v1/quarantine"): "admin",
    ("GET", "/api/v1/quarantine/{name}"): "admin",
    ("DELETE", "/api/v1/quarantine/{name}"): "admin",
    ("POST", "/api/v1/quarantine/{name}/retry"): "admin",
    ("POST", "/api/v1/seal"): "admin",
    ("GET", "/api/v1/backup"): "admin",
    ("GET", "/api/v1/doctor"): "admin",
    ("POST", "/api/v1/seal/{node}"): "admin",
}
ADMITTED_TO = {"nobody": {"anyone"}, "reader": {"anyone", "reader"}, "admin": {"anyone", "reader", "admin"}}
ASKERS = {
    **dict.fromkeys(("nobody", "stranger", "cookie of a stranger", "removed user", "revoked token"), "nobody"),
    **dict.fromkeys(("viewer", "analyst", "viewer's token", "named token", "environment's token"), "reader"),
    **dict.fromkeys(("admin", "operator's token", "operator by link"), "admin"),
}
OF_SESSIONS = {"viewer": "vera", "analyst": "anna", "admin": "ada", "operator by link": "operator"}


class Credential(TypedDict, total=False):
    """What somebody sends to say who it is."""

    token: str
    cookie: str


@pytest_asyncio.fixture(scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """One for all tests, with people in it."""
    async with front_desk(tmp_path_factory.mktemp("desk")) as desk:
        add_people(desk)
        yield desk


@pytest_asyncio.fixture(scope="module")
async def credentials(desk: Desk) -> dict[str, Credential]:
    """What each of ASKERS sends."""
    tokens, users = desk.askers.tokens, desk.askers.users
    users.add("gone", Role.ADMIN, [], PASSWORD)
    gone = await desk.cookie_of({"name": "gone", "password": PASSWORD})
    users.remove("gone")
    revoked = tokens.create("revoked")
    tokens.revoke("revoked")
    code = desk.askers.codes.create("operator")
    return {
        "nobody": {},
        "stranger": {"token": "x" * 43},
        "cookie of a stranger": {"cookie": "x" * 43},
        "removed user": {"cookie": gone},
        "revoked token": {"token": revoked},
        "viewer": {"cookie": await desk.cookie_of({"name": "vera", "password": PASSWORD})},
        "analyst": {"cookie": await desk.cookie_of({"name": "anna", "password": PASSWORD})},
        "admin": {"cookie": await desk.cookie_of({"name": "ada", "password": PASSWORD})},
        "viewer's token": {"token": tokens.create("partner", [SITE])},
        "named token": {"token": tokens.create("mailer")},
        "environment's token": {"token": ANALYST_TOKEN},
        "operator's token": {"token": desk.operator_token},
        "operator by link": {"cookie": await desk.cookie_of({"code": code})},
    }


def routes_of(app: web.Application) -> set[tuple[str, str]]:
    return {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}


def test_every_route_of_the_port_is_in_the_matrix(desk: Desk) -> None:
    assert routes_of(desk.app) == MATRIX.keys()


def test_everybody_is_in_the_matrix(credentials: dict[str, Credential]) -> None:
    assert credentials.keys() == ASKERS.keys()


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize(("method", "path"), [pytest.param(*key, id=" ".join(key)) for key in MATRIX])
async def test_who_may_is_let_through_and_who_may_not_is_not(
    desk: Desk, credentials: dict[str, Credential], method: str, path: str, asker: str
) -> None:
    sent = credentials[asker]
    if (method, path) == ("DELETE", SESSION) and asker in OF_SESSIONS:  # one of its own to end
        sent = {"cookie": str(desk.askers.sessions.create(OF_SESSIONS[asker]))}
    concrete = path.replace("{report}", "pages").replace("{node}", "0" * 16).replace("{name}", "nothing")
    concrete += f"?property={SITE}" if "{report}" in path or path == "/api/v1/live" else ""
    reply = await desk.call(method, concrete, headers={"Sec-Fetch-Site": "same-origin"}, **sent)
    status = reply.status
    if MATRIX[method, path] in ADMITTED_TO[ASKERS[asker]]:
        past_the_guard = {("GET", "/assets/{name}"): 404, ("POST", SESSION): 400, ("DELETE", SESSION): 204}
        past_the_guard |= {key: 404 for key in MATRIX if key[1].startswith("/api/v1/quarantine/{name}")}
        assert status == past_the_guard.get((method, path), 200), await reply.text()
    else:
        assert status == (401 if ASKERS[asker] == "nobody" else 403)
        assert orjson.loads(await reply.read()) == {"error": {"code": "unauthorized" if status == 401 else "forbidden"}}


@pytest.mark.parametrize("asker", OF_SESSIONS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "OWN"},
    ],
)
async def test_nothing_is_changed_with_a_cookie_but_by_a_page_of_the_dashboard(
    desk: Desk, credentials: dict[str, Credential], asker: str, headers: dict[str, str]
) -> None:
    sent = {name: text.replace("OWN", f"http://{desk.address}") for name, text in headers.items()}
    for method, path in [key for key in MATRIX if key[0] != "GET" and MATRIX[key] != "anyone"]:
        concrete = path.replace("{node}", "0" * 16).replace("{name}", "nothing")
        reply = await desk.call(method, concrete, headers=sent, **credentials[asker])
        assert reply.status == 403
    assert (await desk.call("GET", SESSION, headers=sent, **credentials[asker])).status == 200
    if headers:
        with_password = {"name": "anna", "password": PASSWORD}
        assert (await desk.sign_in(with_password, sent)).status == 403


async def test_the_origin_of_the_dashboard_is_as_good_as_sec_fetch_site(
    desk: Desk, credentials: dict[str, Credential]
) -> None:
    headers = {"Origin": f"http://{desk.address}"}
    assert (await desk.call("POST", "/api/v1/seal", headers=headers, **credentials["admin"])).status == 200


async def test_a_bad_token_is_not_made_good_by_a_cookie(desk: Desk, credentials: dict[str, Credential]) -> None:
    reply = await desk.call("GET", SESSION, token="x" * 43, cookie=credentials["admin"]["cookie"])
    assert reply.status == 401


# --- a viewer's properties --------------------------------------------------------------------------------------------

UNKNOWN = "nobody.example"


async def _told(desk: Desk, path: str, **sent: Unpack[Credential]) -> tuple[int, bytes, dict[str, str]]:
    reply = await desk.call("GET", path, **sent)
    headers = {name: text for name, text in reply.headers.items() if name not in ("Date", "Content-Length")}
    return reply.status, await reply.read(), headers


@pytest.mark.parametrize("asker", ["viewer", "viewer's token"])
@pytest.mark.parametrize("hidden", [OTHER_SITE, PLAYER])
@pytest.mark.parametrize(
    "rest",
    [
        "",
        "&by=path",
        "&by=nothing",
        "&from=yesterday",
        "&interval=hour",
        "&format=csv",
        "&format=xml",
        "&limit=0",
        f"&property={SITE}",
        "&property=",
        "&mood=good",
    ],
)
async def test_a_property_that_may_not_be_seen_is_answered_like_one_that_does_not_exist(
    desk: Desk, credentials: dict[str, Credential], asker: str, hidden: str, rest: str
) -> None:
    sent = credentials[asker]
    for report in ("pages", "traffic", "nothing"):
        path = f"/api/v1/reports/{report}?property="
        told = await _told(desk, f"{path}{hidden}{rest}", **sent)
        assert told[0] in (400, 404)
        assert told == await _told(desk, f"{path}{UNKNOWN}{rest}", **sent)


async def test_everybody_sees_the_properties_that_are_theirs_and_what_happened_to_them(
    desk: Desk, credentials: dict[str, Credential]
) -> None:
    site = {"id": SITE, "sort": "site", "annotations": [{"day": "2026-11-02", "text": "new front page"}]}
    others = [
        {"id": OTHER_SITE, "sort": "site", "annotations": []},
        {"id": PLAYER, "sort": "product", "annotations": []},
    ]
    for asker, lowest in ASKERS.items():
        if lowest != "nobody":
            reply = await desk.call("GET", "/api/v1/properties", **credentials[asker])
            expected = [site] if "viewer" in asker else [site, *others]
            assert orjson.loads(await reply.read()) == {"properties": expected}
            seen = await desk.call("GET", f"{REPORT}?property={PLAYER}", **credentials[asker])
            assert seen.status == (400 if "viewer" in asker else 200)


async def test_a_session_says_whose_it_is(desk: Desk, credentials: dict[str, Credential]) -> None:
    async def told(asker: str) -> Any:
        return orjson.loads(await (await desk.call("GET", SESSION, **credentials[asker])).read())

    until = "2026-11-23T00:00:00Z"
    assert await told("viewer") == {"name": "vera", "role": "viewer", "properties": [SITE], "expires": until}
    assert await told("admin") == {"name": "ada", "role": "admin", "properties": None, "expires": until}
    assert await told("operator by link") == {
        "name": "operator", "role": "admin", "properties": None, "expires": until,
    }  # fmt: skip
    assert await told("environment's token") == {
        "name": "analyst", "role": "analyst", "properties": None, "expires": None,
    }  # fmt: skip

"""The dashboard's files over a real socket: who gets which form, for how long, and nothing but them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientResponse, ClientSession, web

from collector.analyst.access import guard, set_headers
from collector.analyst.askers import Askers
from collector.analyst.pages import page_routes
from tests.memory_reading import SteppedClock

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
FILES = {
    "index.html": b"<!doctype html><title>Counts</title>",
    "THIRD-PARTY.txt": b"licences",
    "geo/country.mmdb": b"countries",
    "assets/app-1a2b.js": b"script",
    "assets/app-1a2b.js.br": b"script by brotli",
    "assets/app-1a2b.js.gz": b"script by gzip",
    "assets/style-3c4d.css": b"style",
    "assets/style-3c4d.css.gz": b"style by gzip",
    "assets/world-5e6f.geo": b"world",
    "assets/.hidden": b"hidden",
    "assets/deep/er.js": b"deeper",
}


class Pages:
    """A port with a dashboard."""

    def __init__(self, address: str, session: ClientSession) -> None:
        self.address = address
        self.session = session

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> ClientResponse:
        sent = {"Accept-Encoding": "identity", **(headers or {})}
        response = await self.session.get(f"http://{self.address}{path}", headers=sent)
        await response.read()
        return response


@pytest_asyncio.fixture(scope="module")
async def pages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pages]:
    folder = tmp_path_factory.mktemp("web")
    for name, body in FILES.items() if request.param == "built" else ():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    (folder.parent / "secret.js").write_bytes(b"secret")
    routes = page_routes(folder)
    rules = {(route.method, route.path): route.rule for route in routes}
    data: Path = tmp_path_factory.mktemp("data")
    app = web.Application(middlewares=[guard(Askers(data, None, SteppedClock(0)), rules)])
    for route in routes:
        app.router.add_route(route.method, route.path, route.handler)
    app.on_response_prepare.append(set_headers)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ClientSession(auto_decompress=False) as session:
        yield Pages(":".join(map(str, runner.addresses[0][:2])), session)
    await runner.cleanup()


@pytest.mark.parametrize("pages", ["built"], indirect=True)
async def test_the_page_is_asked_for_again_every_time_and_runs_only_what_comes_from_here(pages: Pages) -> None:
    response = await pages.get("/")
    assert (response.status, await response.read()) == (200, FILES["index.html"])
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["Content-Security-Policy"] == CSP
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("pages", ["built"], indirect=True)
@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("app-1a2b.js", "text/javascript; charset=utf-8"),
        ("style-3c4d.css", "text/css; charset=utf-8"),
        ("world-5e6f.geo", "application/octet-stream"),
    ],
)
async def test_an_asset_is_kept_for_a_year(pages: Pages, name: str, content_type: str) -> None:
    response = await pages.get(f"/assets/{name}")
    assert (response.status, await response.read()) == (200, FILES[f"assets/{name}"])
    assert response.headers["Content-Type"] == content_type
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["Content-Security-Policy"] == CSP
    assert response.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("pages", ["built"], indirect=True)
@pytest.mark.parametrize(
    ("name", "taken", "encoding"),
    [
        ("app-1a2b.js", "gzip, deflate, br, zstd", "br"),
        ("app-1a2b.js", "gzip, br;q=0", "gzip"),
        ("app-1a2b.js", "gzip;q=0.5, BR;q=0.1", "br"),
        ("app-1a2b.js", "gzip;q=0, br;q=0.000", None),
        ("app-1a2b.js", "*", None),
        ("app-1a2b.js", "brotli", None),
        ("app-1a2b.js", ",;q=,=", None),
        ("style-3c4d.css", "gzip, br", "gzip"),
        ("world-5e6f.geo", "gzip, br", None),
    ],
)
async def test_a_packed_form_goes_to_whoever_takes_it(
    pages: Pages, name: str, taken: str, encoding: str | None
) -> None:
    response = await pages.get(f"/assets/{name}", {"Accept-Encoding": taken})
    assert response.headers.get("Content-Encoding") == encoding
    suffix = {"br": ".br", "gzip": ".gz", None: ""}[encoding]
    assert await response.read() == FILES[f"assets/{name}{suffix}"]


@pytest.mark.parametrize("pages", ["built"], indirect=True)
@pytest.mark.parametrize(
    "path",
    [
        "/index.html",
        "/THIRD-PARTY.txt",
        "/geo/country.mmdb",
        "/assets",
        "/assets/",
        "/assets/nothing.js",
        "/assets/app-1a2b.js.br",
        "/assets/app-1a2b.js/",
        "/assets/.hidden",
        "/assets/deep",
        "/assets/deep/er.js",
        "/assets/deep%2fer.js",
        "/assets/../index.html",
        "/assets/..%2findex.html",
        "/assets/%2e%2e%2findex.html",
        "/assets/..%2f..%2fsecret.js",
        "/assets/%2fetc%2fpasswd",
        "/assets/app-1a2b.js%00.css",
        "/assets/..%5cindex.html",
        "//assets/app-1a2b.js",
    ],
)
async def test_no_path_leads_to_any_other_file(pages: Pages, path: str) -> None:
    reader, writer = await asyncio.open_connection(*pages.address.split(":"))
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b'{"error":{"code":"not_found"}}')


@pytest.mark.parametrize("pages", ["not built"], indirect=True)
async def test_without_a_build_the_page_says_how_to_have_one(pages: Pages) -> None:
    response = await pages.get("/", {"Accept-Encoding": "br"})
    assert response.status == 200
    assert b"COLLECTOR_SKIP_UI=1" in await response.read()
    assert (await pages.get("/assets/app-1a2b.js")).status == 404

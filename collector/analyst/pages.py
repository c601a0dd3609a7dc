"""The dashboard's own files, as the build put them into collector/_web: a page without data, and what it needs.

    GET /                 index.html, asked for again every time           anyone
    GET /assets/{name}    scripts, styles, maps; their names change with   anyone
                          what they hold, so they are kept for a year

Read once at start into memory, so no name of a request ever reaches the disk, and an upgrade takes none away from pages
that are open. A sibling .br or .gz is sent to whoever takes it. Without a build / says how to have one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from aiohttp import hdrs, web

from collector.analyst.access import Route, Rule
from collector.built import DASHBOARD, WEB

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
ENCODINGS = {"br": ".br", "gzip": ".gz"}  # the first that is taken
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
OTHER_TYPE = "application/octet-stream"
FOR_A_YEAR = "public, max-age=31536000, immutable"
NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Collector: no dashboard here</title>
<h1>The collector runs, but its dashboard was not built</h1>
<p>It is made when the collector is installed. Install it again without <code>COLLECTOR_SKIP_UI=1</code>, with access to
an npm registry, and restart it:</p>
<pre>pip install --force-reinstall --no-deps .</pre>
<p>Until then, ask it from the command line: <code>collector query traffic --property www.example.org</code>, or over
<code>/api/v1/reports</code> with a token of <code>collector token create NAME</code>.</p>
</html>
"""

File = Mapping[str, bytes]  # by encoding; "" as it is


def page_routes(web_folder: Path = WEB) -> list[Route]:
    """The routes above."""
    dashboard = web_folder / DASHBOARD.name
    index = _read(dashboard) if dashboard.is_file() else {"": NOT_BUILT.encode()}
    assets = {
        path.name: _read(path)
        for path in (web_folder / "assets").glob("*")
        if NAME.fullmatch(path.name) and path.suffix not in ENCODINGS.values() and path.is_file()
    }

    async def page(request: web.Request) -> web.Response:
        return _answer(request, index, TYPES[".html"], "no-cache")

    async def asset(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in assets:
            raise web.HTTPNotFound
        return _answer(request, assets[name], TYPES.get(Path(name).suffix, OTHER_TYPE), FOR_A_YEAR)

    return [Route("GET", "/", Rule.ANYONE, page), Route("GET", "/assets/{name}", Rule.ANYONE, asset)]


def _read(path: Path) -> File:
    forms = {"": path} | {encoding: path.with_name(path.name + suffix) for encoding, suffix in ENCODINGS.items()}
    return {encoding: form.read_bytes() for encoding, form in forms.items() if form.is_file()}


def _answer(request: web.Request, file: File, content_type: str, cache: str) -> web.Response:
    taken = _taken(request.headers.get(hdrs.ACCEPT_ENCODING, ""))
    encoding = next((each for each in ENCODINGS if each in taken and each in file), "")
    headers = {hdrs.CONTENT_TYPE: content_type, hdrs.CACHE_CONTROL: cache, hdrs.VARY: hdrs.ACCEPT_ENCODING}
    if encoding:
        headers[hdrs.CONTENT_ENCODING] = encoding
    return web.Response(body=file[encoding], headers=headers)


def _taken(accept_encoding: str) -> set[str]:
    """The encodings that a request takes; one with a quality of 0 is refused."""
    parts = (each.replace(" ", "").lower().partition(";") for each in accept_encoding.split(","))
    return {encoding for encoding, _, quality in parts if not re.fullmatch(r"q=0(\.0*)?", quality)}

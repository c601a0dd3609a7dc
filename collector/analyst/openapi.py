"""The HTTP interface in words, for programs and for people: schemas/openapi.yaml, which is kept by hand.

    GET /api/v1/openapi.json   the description, whole: events stand among its components    anyone
    GET /docs, /docs.css       the same as a page (docs_page.py) and how it looks           anyone

Made once at start. It says nothing of what is registered, so it is the same for every collector of a version.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import yaml
from aiohttp import web

from collector.analyst.access import Route, Rule
from collector.analyst.docs_page import docs_page
from collector.catalogue.declarations import Declarations, schemas_folder

STYLE = Path(__file__).parent / "docs.css"
EVENTS = "events/"
COMPONENTS = "#/components/schemas/"

Description = dict[str, Any]


def description_of(declarations: Declarations) -> Description:
    """The description with every event it refers to inside; no part of it lies elsewhere."""
    # libyaml where the wheel has it: a tenth of the quarter of a second that each start of a warehouse took here.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    told: Description = yaml.load((schemas_folder() / "openapi.yaml").read_bytes(), loader)  # noqa: S506 - a safe one
    for kind, schema in declarations.kinds.items():
        told["components"]["schemas"][kind] = {name: each for name, each in schema.items() if name != "$schema"}
    whole: Description = _whole(told)
    return whole


def openapi_routes(description: Description) -> list[Route]:
    """The routes above."""
    files = {
        "/api/v1/openapi.json": (orjson.dumps(description), "application/json"),
        "/docs": (docs_page(description).encode(), "text/html; charset=utf-8"),
        "/docs.css": (STYLE.read_bytes(), "text/css; charset=utf-8"),
    }

    async def tell(request: web.Request) -> web.Response:
        body, content_type = files[request.path]
        return web.Response(body=body, headers={"Content-Type": content_type})

    return [Route("GET", path, Rule.ANYONE, tell) for path in files]


def _whole(part: Any) -> Any:
    """The same, in which references to files of events are references to components; answers in order of status."""
    if isinstance(part, list):
        return [_whole(each) for each in part]
    if not isinstance(part, dict):
        return part
    reference = part.get("$ref")
    if isinstance(reference, str) and reference.startswith(EVENTS):
        return {"$ref": COMPONENTS + reference.removeprefix(EVENTS).removesuffix(".json")}
    if "responses" in part:
        part = {**part, "responses": dict(sorted(part["responses"].items()))}
    return {name: _whole(each) for name, each in part.items()}

"""What stands between the analyst port and its routes: who may pass, and how every refusal looks.

Default deny: a route without a rule is refused, a path below /api/ needs an asker even where no route is. What changes
something with a cookie must come from a page of the dashboard itself. Pages of refusals are made of a closed list of
codes: nothing of the request, no exception, no trace. Handlers find who asks as request[ASKER], and check the
properties themselves (roles.py). api.py puts this in front of its routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import NamedTuple

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from collector.analyst.askers import Askers, is_of_same_origin
from collector.analyst.roles import Asker, Role
from collector.errors import Unavailable
from collector.log import log, place_of

ASKER = web.RequestKey("asker", Asker)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    429: "too_many_tries",
    500: "failed",
    503: "unavailable",
}
SAFE = ("GET", "HEAD")
RETRY_AFTER_S = 5


class Rule(Enum):
    """Who may use a route."""

    ANYONE = "anyone"
    READER = "reader"  # whoever is admitted; of which properties, the handler decides
    ADMIN = "admin"


class Route(NamedTuple):
    """A route and who may use it."""

    method: str
    path: str
    rule: Rule
    handler: Handler


def refusal(status: int, headers: Mapping[str, str] | None = None, code: str | None = None) -> web.Response:
    """The page of a refusal: {"error": {"code"}}; the code is the status's unless given."""
    code = code or CODES.get(status, CODES[400] if status < HTTPStatus.INTERNAL_SERVER_ERROR else CODES[500])
    body = orjson.dumps({"error": {"code": code}})
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def not_admitted() -> web.Response:
    """The page for whoever did not say, or not rightly, who it is."""
    return refusal(401, {hdrs.WWW_AUTHENTICATE: "Bearer"})


def guard(askers: Askers, rules: Mapping[tuple[str, str], Rule]) -> Middleware:
    """Let through what `rules` (by method and the path a route was added with) allow; answer all that goes wrong."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        route = request.match_info.route
        rule = rules.get((route.method, route.resource.canonical)) if route.resource else None
        is_route = route.resource is not None
        if rule is not Rule.ANYONE and (is_route or request.path.startswith("/api")):
            asker = askers.of(request)
            if asker is None:
                return not_admitted()
            if is_route and not _may(asker, rule, request):
                return refusal(403)
            request[ASKER] = asker
        try:
            return await handler(request)
        except web.HTTPException as error:
            allow = {"Allow": error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else None
            return refusal(error.status, allow)
        except (Unavailable, TimeoutError) as error:
            log.warning("question not answered", **place_of(error))
            return refusal(503, {hdrs.RETRY_AFTER: str(RETRY_AFTER_S)})
        except Exception as error:  # noqa: BLE001 - whatever it is, the asker gets a page of ours and the log its place
            log.error("question failed", **place_of(error))
            return refusal(500)

    return guarded


def _may(asker: Asker, rule: Rule | None, request: web.Request) -> bool:
    if asker.session and request.method not in SAFE and not is_of_same_origin(request):
        return False
    return rule is Rule.READER or (rule is Rule.ADMIN and asker.role is Role.ADMIN)


async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal on_response_prepare: the same protective headers on every answer, and no name of our server."""
    for name, text in HEADERS.items():
        response.headers.setdefault(name, text)
    response.headers.pop(hdrs.SERVER, None)

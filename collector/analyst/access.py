"""What stands between the analyst port and its routes: who may pass, and how every refusal looks.

Default deny: a route without a rule is refused, a path below /api/ needs a token even where no route is. Tokens come
in the Authorization header only; one in the address would end up in logs and histories. Pages of refusals are made of
a closed list of codes: nothing of the request, no exception, no trace. api.py puts this in front of its routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from http import HTTPStatus
from typing import NamedTuple

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from collector.analyst.tokens import Tokens
from collector.errors import Unavailable
from collector.log import log, place_of

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    500: "failed",
    503: "unavailable",
}


class Rule(Enum):
    """Who may use a route."""

    ANYONE = "anyone"
    TOKEN = "token"  # noqa: S105 - the name of a rule
    OPERATOR = "operator"


class Route(NamedTuple):
    """A route and who may use it; all routes of one path have the same rule."""

    method: str
    path: str
    rule: Rule
    handler: Handler


def refusal(status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """The page of a refusal: {"error": {"code"}}."""
    code = CODES.get(status, CODES[400] if status < HTTPStatus.INTERNAL_SERVER_ERROR else CODES[500])
    body = orjson.dumps({"error": {"code": code}})
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def guard(tokens: Tokens, rules: dict[str, Rule]) -> Middleware:
    """Let through what `rules` (by the path a route was added with) allow; answer everything that goes wrong."""

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        rule = rules.get(resource.canonical) if resource else None
        needs_token = rule in (Rule.TOKEN, Rule.OPERATOR) or request.path.startswith("/api")
        token = _token_of(request)
        if needs_token and not tokens.admits(token):
            return refusal(401, {hdrs.WWW_AUTHENTICATE: "Bearer"})
        if (resource and rule is None) or (rule is Rule.OPERATOR and not tokens.is_operators(token)):
            return refusal(403)
        try:
            return await handler(request)
        except web.HTTPException as error:
            allow = {"Allow": error.headers[hdrs.ALLOW]} if hdrs.ALLOW in error.headers else None
            return refusal(error.status, allow)
        except (Unavailable, TimeoutError) as error:
            log.warning("question not answered", **place_of(error))
            return refusal(503)
        except Exception as error:  # noqa: BLE001 - whatever it is, the asker gets a page of ours and the log its place
            log.error("question failed", **place_of(error))
            return refusal(500)

    return guarded


async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal on_response_prepare: the same protective headers on every answer, and no name of our server."""
    response.headers.update(HEADERS)
    response.headers.pop(hdrs.SERVER, None)


def _token_of(request: web.Request) -> str:
    """The bearer token that was sent; "", which is nobody's, where none was, or several."""
    given = request.headers.getall(hdrs.AUTHORIZATION, [])
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" else ""

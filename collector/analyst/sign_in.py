"""Sessions over HTTP: who am I, sign in, sign out.

    GET    /api/v1/session   {"name", "role", "properties", "expires"}, of a token, too            readers
    POST   /api/v1/session   {"name", "password"} or {"code"} -> 204 and a cookie for 12 hours     anyone
    DELETE /api/v1/session   204, the session is over                                              readers

"properties": those that may be seen, null for all; "expires": a time, or null. Signing in is refused: 400 not of that
form; 400 `insecure` over plain http from another machine, where a password could be read on its way; 401 wrong; 403
from a page of another origin; 429 too many tries (tries.py), with Retry-After. A wrong name and a wrong password are
answered alike; who has the right one gets in while others use up all tries with made-up names. argon2 and the disk run
in one thread, and nobody waits for it who does not sign in.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple

import orjson
from aiohttp import hdrs, web

from collector.analyst.access import ASKER, Route, Rule, not_admitted, refusal
from collector.analyst.askers import Askers, Way, is_of_same_origin
from collector.analyst.blocking import Bounded, RunBlocking
from collector.analyst.passes import SESSION_S
from collector.analyst.roster import NAME
from collector.analyst.tries import Tries
from collector.analyst.users import MAX_PASSWORD, OPERATOR
from collector.clock import Clock
from collector.errors import Misconfigured, Unavailable

BASE = "/api/v1/session"
BODY_PATIENCE_S = 5.0
CODE = "code"  # the one name under which wrong codes are counted
MAX_CODE = 200
HELD_S = 4.0  # an argon2 takes a sixth of a second, on a small machine under load one
MAX_HELD = 2_000  # tries at a time: who floods keeps others out from 500 a second on


class Credentials(NamedTuple):
    """What somebody signs in with: a name and a password, or a code alone."""

    name: str
    password: str
    code: str


class SignIn:
    """The routes' handlers."""

    def __init__(self, askers: Askers, clock: Clock, run_blocking: RunBlocking) -> None:
        self._askers = askers
        self._tries = Tries(clock)
        self._wrong_codes = Tries(clock)
        self._thread = Bounded(run_blocking)
        self._held = 0

    def routes(self) -> list[Route]:
        """The routes above."""
        return [
            Route("GET", BASE, Rule.READER, self.who),
            Route("POST", BASE, Rule.ANYONE, self.begin),
            Route("DELETE", BASE, Rule.READER, self.end),
        ]

    async def who(self, request: web.Request) -> web.Response:
        """Who asks, and what of."""
        asker = request[ASKER]
        until = None if asker.expires_s is None else datetime.fromtimestamp(asker.expires_s, UTC)
        told = {
            "name": asker.name,
            "role": asker.role,
            "properties": None if asker.properties is None else sorted(asker.properties),
            "expires": until.strftime("%Y-%m-%dT%H:%M:%SZ") if until else None,
        }
        return web.Response(body=orjson.dumps(told), content_type="application/json")

    async def begin(self, request: web.Request) -> web.Response:
        """Sign in."""
        way = self._askers.way_in(request)
        if is_of_same_origin(request) is False:
            return refusal(403)
        if way is None:
            return refusal(400, code="insecure")
        given = await _credentials(request)
        if given is None:
            return refusal(400)
        # A right code is 256 bits that nobody else can name: it is taken however often others try.
        wait_s = 0 if given.code else self._tries.take(given.name)
        if wait_s:
            secret = await self._in_spite_of_others(given) if self._tries.is_free(given.name) else None
            return _with_cookie(way, secret) if secret else refusal(429, {hdrs.RETRY_AFTER: str(wait_s)})
        try:
            secret = await self._secret(given)
        except (OSError, Misconfigured) as error:
            raise Unavailable("who is admitted cannot be read or written") from error
        if secret is None:
            wait_s = self._wrong_codes.take(CODE) if given.code else 0
            return refusal(429, {hdrs.RETRY_AFTER: str(wait_s)}) if wait_s else not_admitted()
        if not given.code:
            self._tries.give_back(given.name)
        return _with_cookie(way, secret)

    async def end(self, request: web.Request) -> web.Response:
        """Sign out. A token is no session: nothing happens to it."""
        way = self._askers.way(request)
        response = web.Response(status=204)
        if way and request[ASKER].session:
            secret = request.cookies[way.value]
            try:
                await self._thread.run(lambda: self._askers.sessions.take(secret))
            except (OSError, Misconfigured) as error:
                raise Unavailable("who is admitted cannot be read or written") from error
            secure = way is Way.HTTPS
            response.del_cookie(way.value, path="/", secure=secure, httponly=True, samesite="Strict")
        return response

    async def _secret(self, given: Credentials) -> str | None:
        """A session for who is admitted. A made-up code takes nobody's place before the thread."""
        if not given.code:
            return await self._thread.run(lambda: self._by_password(given))
        if self._askers.codes.find(given.code) is None:
            return None
        return await self._thread.run(lambda: self._by_code(given))

    async def _in_spite_of_others(self, given: Credentials) -> str | None:
        """A session for who has a password while others use up all tries with made-up names; None for everybody else.

        None always takes HELD_S, whether there is such a name, a try in reserve and a thread that is free or not: so
        nobody can tell. A password that is not looked at by then is as good as wrong.
        """
        if self._held >= MAX_HELD:
            return None
        self._held += 1
        looking = asyncio.ensure_future(self._by_reserve(given))
        held = asyncio.ensure_future(asyncio.sleep(HELD_S))
        try:
            await asyncio.wait((looking, held), return_when=asyncio.FIRST_COMPLETED)
            if looking.done() and (secret := looking.result()):
                return secret
            await held
        finally:
            self._held -= 1
            looking.cancel()
            held.cancel()
        return None

    async def _by_reserve(self, given: Credentials) -> str | None:
        with suppress(OSError, Misconfigured, Unavailable, TimeoutError):
            if self._askers.users.find(given.name) and self._tries.take_reserve(given.name):
                secret = await self._thread.run(lambda: self._by_password(given))
                if secret:
                    self._tries.give_back_reserve(given.name)
                return secret
        return None

    def _by_password(self, given: Credentials) -> str | None:
        users = self._askers.users
        user = users.verify(given.name, given.password)
        if user is None:
            return None
        return self._askers.sessions.create(user.name, lambda: users.find(user.name) == user)

    def _by_code(self, given: Credentials) -> str | None:
        found, users = self._askers.codes.take(given.code), self._askers.users
        if found is None:
            return None
        return self._askers.sessions.create(
            found.name, lambda: found.name == OPERATOR or users.find(found.name) is not None
        )


async def _credentials(request: web.Request) -> Credentials | None:
    """What a body signs in with; None if it is not of that form, or does not come whole and in time."""
    if request.content_type != "application/json":
        return None
    try:
        async with asyncio.timeout(BODY_PATIENCE_S):
            given = orjson.loads(await request.read())
    except (ValueError, TimeoutError, ConnectionError, web.RequestPayloadError):
        return None
    if not isinstance(given, dict) or not all(isinstance(text, str) for text in given.values()):
        return None
    if given.keys() == {"code"} and 1 <= len(given["code"]) <= MAX_CODE:
        return Credentials("", "", given["code"])
    if (
        given.keys() == {"name", "password"}
        and NAME.fullmatch(given["name"])
        and len(given["password"]) <= MAX_PASSWORD
    ):
        return Credentials(given["name"], given["password"], "")
    return None


def _with_cookie(way: Way, secret: str) -> web.Response:
    response = web.Response(status=204)
    secure = way is Way.HTTPS
    response.set_cookie(way.value, secret, max_age=SESSION_S, path="/", secure=secure, httponly=True, samesite="Strict")
    return response

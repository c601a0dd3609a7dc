"""Who sent a request: whose bearer token or session cookie it carries, and over which way it came.

A token comes in the Authorization header only; one in the address would end up in logs and histories. A cookie counts
where nobody between browser and collector can read it: over https, as a trusted proxy says, or on this machine. The
peer's address is compared with the proxies' and forgotten. Files are read again when they change, so who is removed is
out at once. access.py asks for every request, sign_in.py to begin and end sessions.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from collector.analyst.passes import Passes
from collector.analyst.roles import Asker, Role
from collector.analyst.tokens import Tokens
from collector.analyst.users import OPERATOR, Users
from collector.clock import Clock

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

FORWARDED_PROTO = "X-Forwarded-Proto"


class Way(Enum):
    """How a browser reached the analyst port, and the name of the cookie there."""

    HTTPS = "__Host-collector"
    LOOPBACK = "collector"


class Askers:
    """Everybody who is admitted to one collector."""

    def __init__(
        self, data: Path, analyst_token: str | None, clock: Clock, trusted_proxies: Iterable[Network] = ()
    ) -> None:
        """Raises Misconfigured for tokens that cannot be used."""
        self.tokens = Tokens(data, analyst_token, clock)
        self.users = Users(data)
        self.sessions = Passes.sessions(data, clock)
        self.codes = Passes.codes(data, clock)
        self._trusted = tuple(trusted_proxies)

    def of(self, request: web.BaseRequest) -> Asker | None:
        """Who asks; a bad token is not made good by a cookie."""
        given = request.headers.getall(hdrs.AUTHORIZATION, [])
        if given:
            scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
            return self.tokens.asker(token.strip()) if scheme.lower() == "bearer" else None
        way = self.way(request)
        secret = request.cookies.get(way.value) if way else None
        return self._of_session(secret) if secret else None

    def way(self, request: web.BaseRequest) -> Way | None:
        """How the request came; None where somebody on the way could read along."""
        said = ",".join(request.headers.getall(FORWARDED_PROTO, [])).rpartition(",")[2].strip().lower()
        if said:
            return Way.HTTPS if said == "https" and self._is_proxy(request.remote) else None
        return Way.LOOPBACK if _is_loopback(request.host) else None

    def way_in(self, request: web.BaseRequest) -> Way | None:
        """The same for signing in: a proxy may pass on its own address as Host, but the page's origin tells."""
        way, origin = self.way(request), request.headers.get(hdrs.ORIGIN)
        return None if way is Way.LOOPBACK and origin is not None and not _is_loopback(_netloc(origin)) else way

    def _of_session(self, secret: str) -> Asker | None:
        found = self.sessions.find(secret)
        if found is None:
            return None
        if found.name == OPERATOR:
            return Asker(name=OPERATOR, role=Role.ADMIN, expires_s=found.expires, session=True)
        user = self.users.find(found.name)
        if user is None:
            return None
        properties = None if user.properties is None else frozenset(user.properties)
        return Asker(name=user.name, role=user.role, properties=properties, expires_s=found.expires, session=True)

    def _is_proxy(self, peer: str | None) -> bool:
        try:
            address = ipaddress.ip_address(peer or "")
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return any((mapped or address) in network for network in self._trusted)


def is_of_same_origin(request: web.BaseRequest) -> bool | None:
    """Whether a page of the dashboard sent it, as its browser says; None where no browser says anything."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get(hdrs.ORIGIN)
    if site is not None:
        return site == "same-origin"
    return None if origin is None else _netloc(origin) == request.host.lower()


def _netloc(origin: str) -> str:
    """Host and port of an Origin header; nothing of one that is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    """Whether a Host header names the machine that the browser runs on, so that what it sends stays there."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False

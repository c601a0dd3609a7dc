"""Asks the collector's ports on behalf of the command line: plain HTTP, one request, one reply.

It never follows a redirect or a proxy of the environment: the token must reach nobody but the collector.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import orjson

OPERATOR_TOKEN = "operator.token"  # noqa: S105 - the name of the file it lies in
TIMEOUT_S = 30.0
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - where a server listens, not where we do


class Token(NamedTuple):
    """A token, and where it came from as an operator knows it."""

    text: str
    source: str


class Reply(NamedTuple):
    """What came back: 200 and an answer, or another status and a JSON that says why."""

    status: int
    body: bytes

    @property
    def reason(self) -> str:
        """Why it is no answer, as the collector says it."""
        try:
            error = orjson.loads(self.body)["error"]
            return f"{error['parameter']}: {error['rule']}"
        except (ValueError, KeyError, TypeError):
            return f"status {self.status}"


class Unanswered(Exception):
    """Nobody answers at that address."""


def reachable(address: str) -> str:
    """Where to call a server that listens at HOST:PORT: itself, or this machine if it listens everywhere."""
    host, _, port = address.rpartition(":")
    return f"{_ANY_ADDRESS.get(host, host)}:{port}"


def token_of(data: Path, given: str | None) -> Token | None:
    """The token to ask with: the one of the environment, else the operator's in the data directory, if there is one."""
    if given:
        return Token(given, "COLLECTOR_ANALYST_TOKEN")
    path = data / OPERATOR_TOKEN
    try:
        return Token(path.read_text("ascii").strip(), str(path))
    except (OSError, UnicodeDecodeError):
        return None


def call(address: str, token: str | None, path: str, method: str = "GET", timeout_s: float = TIMEOUT_S) -> Reply:
    """Send one request to a port of the collector at HOST:PORT; raises Unanswered where no HTTP answer comes."""
    host, _, port = reachable(address).rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout_s)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
        response = connection.getresponse()
        return Reply(response.status, response.read())
    except (OSError, http.client.HTTPException) as error:
        raise Unanswered(f"no answer at {address} ({_why(error, timeout_s)})") from error
    finally:
        connection.close()


class Body:
    """A body that is read bit by bit; raises Unanswered where it breaks off."""

    def __init__(self, response: http.client.HTTPResponse, address: str) -> None:
        self._response = response
        self._address = address

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at its end."""
        try:
            return self._response.read(size)
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(f"the answer of {self._address} broke off") from error


@contextmanager
def opened(address: str, token: str, path: str) -> Iterator[tuple[int, Body]]:
    """Status and body of one GET, for the block; raises Unanswered where no HTTP answer comes."""
    host, _, port = reachable(address).rpartition(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)) as connection:
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(f"no answer at {address} ({_why(error, TIMEOUT_S)})") from error
        yield response.status, Body(response, address)


def _why(error: OSError | http.client.HTTPException, timeout_s: float) -> str:
    """What went wrong, in words; nothing that came over the wire is among them."""
    if isinstance(error, TimeoutError):
        return f"none within {timeout_s:.0f} s"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "what listens there does not speak HTTP, or hung up"

"""Asks the analyst port on behalf of the command line: plain HTTP, one question, one reply.

It never follows a redirect or a proxy of the environment: the token must reach nobody but the collector.
"""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote, urlencode

import orjson

TIMEOUT_S = 30.0
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - where a server listens, not where we do


class Reply(NamedTuple):
    """What came back: 200 and an answer, or another status and a JSON that says why."""

    status: int
    body: bytes

    @property
    def reason(self) -> str:
        """Why it is no answer, as the collector says it."""
        if self.status == HTTPStatus.UNAUTHORIZED:
            return "the token is not accepted there"
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


def ask(address: str, token: str, report: str, parameters: Mapping[str, str]) -> Reply:
    """Ask one report of the analyst port at HOST:PORT; raises Unanswered where no HTTP answer comes."""
    host, _, port = reachable(address).rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)
    try:
        connection.request(
            "GET",
            f"/api/v1/reports/{quote(report, safe='')}?{urlencode(parameters)}",
            headers={"Authorization": f"Bearer {token}"},
        )
        response = connection.getresponse()
        return Reply(response.status, response.read())
    except (OSError, http.client.HTTPException) as error:
        raise Unanswered(f"no answer at {address}: {type(error).__name__}") from error
    finally:
        connection.close()

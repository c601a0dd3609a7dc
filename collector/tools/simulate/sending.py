"""Sends made-up requests of today to a collector that runs, through its real HTTP port, each from its own address.

Events carry ids and go in batches, one a request, as a client sends them; a request that got no answer, or was told to
come again, is sent again with the same ids, so that it counts once. Called by commands/simulate.py.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import count
from socket import inet_ntop
from urllib.parse import urlsplit
from uuid import uuid4

import orjson

from collector.catalogue.registry import Registry
from collector.errors import Misconfigured
from collector.tools.simulate.days import Days
from collector.tools.simulate.requests import Request
from collector.tools.simulate.truth import Truth
from collector.tools.simulate.visitors import DAY_S

PATIENCE_S = 60.0  # with a collector that does not answer, as while it starts
AGAIN_S = 0.5
TIMEOUT_S = 10.0
COME_AGAIN = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT)
FAMILY = {4: 2, 16: 10}  # AF_INET, AF_INET6


def requests_of_today(
    registry: Registry, country_of: Callable[[bytes], str], *, seed: int, visitors: int
) -> Iterator[Request]:
    """A day of such people, and another one after it, without end."""
    for round_ in count():
        today = int(time.time()) // DAY_S
        days = Days(registry, country_of, seed=seed + round_, first=today, days=1, visitors=visitors)
        yield from sorted(days.day(today), key=lambda request: request.at)


def send(to: str, requests: Iterator[Request], *, rate: float | None, for_s: float | None) -> Truth:
    """Send until time is over or somebody says stop (Ctrl-C); what was sent and acknowledged.

    `rate` is events a second, None as fast as they are taken. Raises Misconfigured if nobody answers, or if events are
    refused.
    """
    truth = Truth()
    client = _Client(to)
    began: float | None = None  # with the first request: making up a day takes a while
    try:
        for request in requests:
            began = time.monotonic() if began is None else began
            if for_s is not None and time.monotonic() - began >= for_s:
                break
            if rate is not None and (ahead_s := truth.events / rate - (time.monotonic() - began)) > 0:
                time.sleep(ahead_s)
            client.send(request)
            truth.count(request, time.time())
    except KeyboardInterrupt:
        pass
    return truth


class _Client:
    """One connection, kept open."""

    def __init__(self, to: str) -> None:
        self._to = to
        address = urlsplit(to)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise Misconfigured("--to: must be the address of a public port, as http://127.0.0.1:8080")
        make = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        self._connection = make(address.hostname, address.port, timeout=TIMEOUT_S)

    def send(self, request: Request) -> None:
        """Send a request until it is acknowledged."""
        person = request.person
        body = orjson.dumps([{**one.event, "id": str(uuid4())} for one in request.happenings])
        headers = {"Content-Type": "application/json", "User-Agent": person.agent}
        headers["X-Forwarded-For"] = inet_ntop(FAMILY[len(person.address)], person.address)
        if person.accept_language:
            headers["Accept-Language"] = person.accept_language
        give_up = time.monotonic() + PATIENCE_S
        while not self._acknowledged(body, headers):
            if time.monotonic() >= give_up:
                raise Misconfigured(f"nobody takes events at {self._to}. Is the collector running?")
            time.sleep(AGAIN_S)

    def _acknowledged(self, body: bytes, headers: dict[str, str]) -> bool:
        try:
            self._connection.request("POST", "/v1/events", body, headers)
            answer = self._connection.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return False
        if answer.status in COME_AGAIN:
            return False
        if answer.status != HTTPStatus.OK:
            raise Misconfigured(f"{self._to} answers events with status {answer.status}: it is no collector's port")
        if refused := orjson.loads(said)["rejected"]:
            first = refused[0]
            raise Misconfigured(f"{first['field']}: {first['message']}. Give --config as the collector has it.")
        return True

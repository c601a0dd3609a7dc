"""One HTTP/1.1 request to the collector and its answer: a connection each, no redirect, no cookie, within limits.

The header lines are few and always the same, so that what was sent can be shown as it was.
"""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from .contract import Answer, Ask, day_of

TIMEOUT_S = 5.0  # of connecting, and of each wait for more
MOST_BYTES = 65_536
LOOPBACK = ("127.0.0.1", "localhost", "::1")
LONGEST_RETRY_S = 86_400


class Wire:
    """The way to one collector. Raises ValueError if the endpoint is not https (or http on this machine)."""

    def __init__(self, endpoint: str, agent: str) -> None:
        parts = urlsplit(endpoint)
        is_local = parts.scheme == "http" and parts.hostname in LOOPBACK
        if not parts.hostname or not (parts.scheme == "https" or is_local):
            raise ValueError("the endpoint must begin with https://")
        self._connection = http.client.HTTPConnection if is_local else http.client.HTTPSConnection
        self._host, self._port, self._netloc = parts.hostname, parts.port, parts.netloc
        self._path, self._agent = parts.path.rstrip("/"), agent

    def request(self, ask: Ask) -> bytes:
        """The bytes of a request."""
        lines = [f"{ask.method} {self._path}{ask.target} HTTP/1.1", f"Host: {self._netloc}"]
        lines += [f"User-Agent: {self._agent}", "Accept: application/json", "Connection: close"]
        if ask.method == "POST":
            lines += ["Content-Type: application/json", f"Content-Length: {len(ask.body)}"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + ask.body

    def send(self, ask: Ask) -> Answer | None:
        """Send it, and return what was answered; None if nothing was, or nothing that is an answer."""
        connection = self._connection(self._host, self._port, timeout=TIMEOUT_S)
        try:
            connection.connect()
            connection.sock.sendall(self.request(ask))
            response = http.client.HTTPResponse(connection.sock, method=ask.method)
            response.begin()
            body = response.read(MOST_BYTES)
            day, retry = response.getheader("Collector-Day", ""), response.getheader("Retry-After", "")
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        retry_after_s = min(int(retry), LONGEST_RETRY_S) if retry.isascii() and retry.isdigit() else 0
        return Answer(response.status, day_of(day), body, retry_after_s)

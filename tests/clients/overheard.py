"""A proxy in front of a collector that remembers what clients sent, and says they were at an address of the tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from collector.tools.prove.forms import ADDRESS
from tests.calling import call

PASSED_ON = ("Content-Type", "App-Key", "User-Agent", "Accept-Language", "Origin")
PAGE = b"<!doctype html><title>An app</title>"


class Overheard(NamedTuple):
    """One request: its body is what the client sent, byte for byte, `status` what it was told."""

    method: str
    path: str
    body: bytes
    status: int


class Ear:
    """Where the proxy takes requests, where it shows a page of another origin, and what went through it, in order."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.page = f"http://localhost:{port}/"
        self.heard: list[Overheard] = []


@contextmanager
def overhearing(public: str) -> Iterator[Ear]:
    """Pass requests on to a public port for the block; GET is answered with an empty page."""

    class Passing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(HTTPStatus.OK, {"Content-Type": "text/html"}, PAGE)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
            reply = call(public, self.command, self.path, body, {**headers, "X-Forwarded-For": ADDRESS})
            ear.heard.append(Overheard(self.command, self.path, body, reply.status))
            self._answer(reply.status, reply.headers, reply.body)

        def do_OPTIONS(self) -> None:
            self.do_POST()

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, text in ({"content-length": str(len(body))} | headers).items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name the base class gives it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Passing) as server:
        server.daemon_threads = True
        ear = Ear(server.server_port)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield ear
        finally:
            server.shutdown()
            thread.join()

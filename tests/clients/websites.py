"""Websites on this machine: pages by host and path, served over real sockets, every request to them noted.

A browser that takes every name for this machine (`NAMES`) finds them under http://HOST:PORT.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

NAMES = "--host-resolver-rules=MAP * 127.0.0.1"


ICON = '<link rel=icon href="data:,">'  # so that no browser asks for one


@dataclass(frozen=True)
class Page:
    """What is served under an address."""

    html: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Websites:
    """Serves pages until told to stop. `asked` are all requests: "HOST/PATH", with " (PURPOSE)" where one is told."""

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[str] = []
        websites = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                name = self.headers.get("Host", "").partition(":")[0] + self.path.partition("?")[0]
                purpose = self.headers.get("Sec-Purpose")
                websites.asked.append(name + (f" ({purpose})" if purpose else ""))
                page = websites.pages.get(name)
                body = page.html.encode() if page else b""
                self.send_response(200 if page else 404)
                for header, value in (page.headers if page else {}).items():
                    self.send_header(header, value)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name http.server has
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port

    def put(self, name: str, html: str, **headers: str) -> str:
        """Serve a page under HOST/PATH; returns its address. Headers with _ for -."""
        told = {header.replace("_", "-"): value for header, value in headers.items()}
        self.pages[name] = Page(f"<!doctype html><html lang=en>{ICON}<title>{name}</title>{html}</html>", told)
        return self.address(name)

    def address(self, name: str) -> str:
        """Where HOST/PATH is."""
        host, _, path = name.partition("/")
        return f"http://{host}:{self.port}/{path}"

    def serve(self) -> None:
        """Answer requests, until stop() is called elsewhere."""
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def websites() -> Iterator[Websites]:
    """Websites for the block."""
    served = Websites()
    thread = Thread(target=served.serve, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.stop()
        thread.join()

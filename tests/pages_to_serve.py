"""A website of the test's own: pages from memory, on this machine, under any host name of example.org."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RESOLVED = "--host-resolver-rules=MAP *.example.org 127.0.0.1"  # what Chromium must be told to find them
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


class Pages:
    """What is served: path -> page or script; a path that ends in .js is one. May be added to while it serves."""

    def __init__(self, pages: Mapping[str, str], port: int) -> None:
        self.pages = dict(pages)
        self.port = port

    def at(self, path: str, host: str = "www.example.org") -> str:
        """The address of a page."""
        return f"http://{host}:{self.port}{path}"


@contextmanager
def serve_pages(pages: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Iterator[Pages]:
    """Serve them for the block; `headers` go with every page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = served.pages.get(self.path.partition("?")[0])
            body = (text or "").encode()
            self.send_response(200 if text is not None else 404)
            kind = "text/javascript" if self.path.partition("?")[0].endswith(".js") else "text/html"
            told = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body)), **(headers or {})}
            for name, value in told.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *told: Any) -> None:  # noqa: A002 - the name http.server gives it
            """Nothing is logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Pages(pages, server.server_address[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield served
        finally:
            server.shutdown()

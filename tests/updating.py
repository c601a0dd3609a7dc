"""Products with releases, as an operator writes them down, and a server on which their files lie."""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson

from collector.catalogue.releases import Place
from collector.tools.prove.forms import Canaries, Words
from collector.tools.prove.scan import scan_files, scan_sqlite
from collector.tools.wire import request, say
from tests.counting import days, load
from tests.stack import Stack

OLD, NEW = "1.4.1", "1.4.2"
SIGNATURE = base64.b64encode(bytes(range(64))).decode()  # 64 bytes, as Ed25519 makes
DATE = "2026-11-20T10:00:00Z"


@contextmanager
def file_server(files: Mapping[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Serves these files until the block ends; gives its address, and a list of the paths that were fetched."""
    fetched: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fetched.append(self.path)
            content = files.get(self.path.partition("?")[0].removeprefix("/"))
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", fetched
        server.shutdown()


def hashes(content: bytes) -> dict[str, Any]:
    """What a release says of a file with that content."""
    return {
        "size": len(content),
        "sha512": base64.b64encode(hashlib.sha512(content).digest()).decode(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "sha1": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
    }


def product(name: str, downloads: Mapping[str, str] | None = None, **more: Any) -> str:
    """Configuration of a product with two versions; `downloads` of the newer by file: url."""
    text = "[[product]]\n" + _keys({"id": name, "versions": [OLD, NEW], **more})
    for file, url in (downloads or {}).items():
        text += f'[[download]]\nproduct = "{name}"\nversion = "{NEW}"\nfile = "{file}"\nurl = "{url}"\n'
    return text


def release(place: Place, *files: Mapping[str, Any], **said: Any) -> str:
    """A release of the newer version, in TOML."""
    text = "[[release]]\n" + _keys({**place._asdict(), "version": NEW, "date": DATE, **said})
    return text + "".join(f"[[release.file]]\n{_keys(each)}" for each in files)


def feed(place: Place, file: str) -> str:
    """A stored feed, in TOML."""
    return "[[feed]]\n" + _keys({**place._asdict(), "file": file})


def _keys(entries: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {orjson.dumps(value).decode()}\n" for key, value in entries.items())


def configured(folder: Path, configuration: str, releases: str) -> Path:
    """Write both into a folder that a collector will be started in; returns the configuration's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "releases.toml").write_text(releases, "utf-8")
    config = folder / "collector.toml"
    config.write_text('releases = "releases.toml"\n' + configuration, "utf-8")
    return config


def cells(stack: Stack, name: str, report: str, *by: str, **more: str) -> dict[tuple[str, ...], int]:
    """Events by the dimensions of a report of a product, when everything sent before is in it."""
    load(stack)
    answer = stack.ask(report, property=name, by=",".join(by), **days(), **more)
    return {tuple(row[: len(by)]): row[len(by)] for row in answer["rows"]}


def from_networks(stack: Stack, path: str, headers: Mapping[str, str] | None = None, networks: int = 9) -> None:
    """The same request from so many other networks: with the one before them a crowd, whose values have names."""
    for number in range(1, networks + 1):
        said = say(stack.public, request(headers=headers, method="GET", path=path), source=f"127.0.{number}.1")
        assert said.status in (200, 204, 302), said


def told_of(stack: Stack, *secrets: str) -> set[str]:
    """Where any of these stands in what the collector keeps and says, in whatever form; nothing if nowhere."""
    names = Words.drawn().by_name()
    names.update(zip(names, secrets, strict=False))
    canaries = Canaries(Words(**names)).only_words()
    found = scan_files("kept", [stack.data, stack.log_file], canaries).hits
    found.update(scan_sqlite(stack.data, canaries).hits)
    said = stack.analyst_request("/metrics").body
    return {hit.place for hit in found} | {how for _, how in canaries.within(said)}

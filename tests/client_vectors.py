"""Both clients, Python and C++, driven by the same commands; and a server that answers as a vector says.

Every request is kept with every byte it had.
"""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import orjson

from collector.client.client import Client
from collector.client.moment import Moment
from tests.requires import needs
from tests.stack import ROOT

VECTORS = ROOT / "schemas" / "vectors"
PLAYER = ("player", "1.4.2", "stable", "windows", "x86_64")
WARNINGS = ("-std=c++17", "-Wall", "-Wextra", "-Werror")


def vectors(name: str) -> list[dict[str, Any]]:
    """The vectors of a file."""
    found: list[dict[str, Any]] = orjson.loads((VECTORS / name).read_bytes())["vectors"]
    return found


class ScriptedServer:
    """Answers one request a connection, in turn as told; afterwards as with nobody there."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.answers: list[dict[str, Any] | None] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def told(self) -> list[str]:
        """The requests since it was last asked, as a vector writes them."""
        lines = []
        for request in self.requests:
            head, _, body = request.decode().partition("\r\n\r\n")
            lines.append(f"{head.partition(' HTTP/1.1')[0]} {body}".strip())
        self.requests.clear()
        return lines

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.requests.append(_request(connection))
                answer = self.answers.pop(0) if self.answers else None
                if answer:
                    connection.sendall(_response(answer))


def _request(connection: socket.socket) -> bytes:
    held = b""
    while b"\r\n\r\n" not in held:
        held += connection.recv(65_536)
    head, _, body = held.partition(b"\r\n\r\n")
    length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def _response(answer: dict[str, Any]) -> bytes:
    body = str(answer.get("body", "")).encode()
    lines = [f"HTTP/1.1 {answer['status']} As told", "Connection: close"]
    lines += [f"Content-Length: {len(body)}"] if body else []
    lines += [f"Collector-Day: {answer['day']}"] if "day" in answer else []
    lines += [f"Retry-After: {answer['retry_after']}"] if "retry_after" in answer else []
    return "\r\n".join([*lines, "", ""]).encode() + body


class Driver(Protocol):
    """A client that is told what to do in words."""

    def do(self, *words: str) -> str:
        """Do it; what the client returned, as text."""
        ...


class PythonDriver:
    """The reference, in this process."""

    def __init__(self, endpoint: str, folder: Path, *, test: bool = False) -> None:
        self._now = Moment(0, 0)
        self.made = 0
        self._begin = partial(Client, endpoint, *PLAYER, folder, test=test, clock=lambda: self._now, new_id=self._id)
        self.client = self._begin()

    def do(self, *words: str) -> str:  # noqa: C901 - a table of words
        match words:
            case ["clock", wall, steady]:
                self._now = Moment(int(wall), int(steady))
            case ["check"]:
                release = self.client.check(60)
                return f"{release['version']} {release['url']}" if release else "none"
            case ["next"]:
                return str(self.client.next_check_after())
            case ["feature", name, count]:
                self.client.feature(name, int(count))
            case ["install", outcome]:
                self.client.install(outcome)
            case ["recommendation", slot, item, shown]:
                self.client.recommendation(slot, item, shown=int(shown))
            case ["uninstall", reason]:
                self.client.uninstall(reason, 60)
            case ["sent"]:
                return self.client.what_was_sent()
            case ["restart"]:
                self.client = self._begin()
            case [name]:
                getattr(self.client, name)()
        return ""

    def _id(self) -> str:
        self.made += 1
        return f"00000000-0000-4000-8000-{self.made:012d}"


class CppDriver:
    """The header, compiled, in a process of its own."""

    def __init__(self, program: Path, endpoint: str, folder: Path, *, test: bool = False) -> None:
        command = [str(program), endpoint, str(folder), "test" if test else "real"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, *words: str) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\t".join(words) + "\n")
        self._process.stdin.flush()
        lines: list[str] = []
        while (line := self._process.stdout.readline()) != ".\n":
            assert line, "the C++ client ended"
            lines.append(line)
        return "".join(lines).strip()

    def close(self) -> None:
        """End it."""
        self._process.communicate()
        assert self._process.returncode == 0


def compiled(into: Path) -> Path:
    """The C++ driver, compiled with every warning an error."""
    needs("g++", "curl-config")
    program = into / "client_driver"
    sources = ["-I", str(ROOT / "collector" / "client"), str(ROOT / "tests" / "client_driver.cpp")]
    made = subprocess.run(
        ["g++", *WARNINGS, *sources, "-o", str(program), "-lcurl"], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return program


@contextmanager
def scripted() -> Iterator[ScriptedServer]:
    """A scripted server for the block."""
    server = ScriptedServer()
    try:
        yield server
    finally:
        server.close()

"""HTTP as bytes: requests that no well-behaved client library would send, and answers read without forgiveness."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

END = b"\r\n\r\n"
HEAD = b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\n"


class Said(NamedTuple):
    """What came back. status 0: the connection ended without an answer. `closed`: it ended by the patience given."""

    status: int
    head: bytes
    body: bytes
    closed: bool

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def code(self) -> str:
        """The code of an error body of the collector's own; fails if it is anything else."""
        said: str = self.json["error"]["code"]
        return said


def request(
    body: bytes = b"", headers: Mapping[str, str] | None = None, *, method: str = "POST", path: str = "/v1/events"
) -> bytes:
    """One whole request; `headers` may say a Content-Length or Transfer-Encoding of their own."""
    given = {"Host": "localhost", **(headers or {})}
    if not {"content-length", "transfer-encoding"} & {name.lower() for name in given} and (body or method == "POST"):
        given["Content-Length"] = str(len(body))
    lines = "".join(f"{name}: {text}\r\n" for name, text in given.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("utf-8", "surrogateescape") + body


def connect(address: str, source: str = "127.0.0.1", patience_s: float = 10.0) -> socket.socket:
    """A connection from any loopback address, which is how tests come from several networks."""
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), patience_s, (source, 0))


def say(address: str, *pieces: bytes, source: str = "127.0.0.1", patience_s: float = 10.0, wait: bool = False) -> Said:
    """Send the pieces on a connection of its own and read one answer; `wait`: until the other side closes."""
    with connect(address, source, patience_s) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it may answer and close before it has read everything
        return hear(connection, wait=wait)


def hear(connection: socket.socket, *, wait: bool = False) -> Said:
    """Read one answer from an open connection; an interim one (1xx) is left in front of it, in `head`."""
    data, closed = b"", False
    while wait or not _is_whole(data):
        try:
            more = connection.recv(65536)
        except ConnectionResetError:
            more = b""
        except TimeoutError:
            break
        if not more:
            closed = True
            break
        data += more
    interim, final = _split_interim(data)
    head, _, body = final.partition(END)
    status = int(head.split(b" ", 2)[1]) if head.startswith(b"HTTP/1.1 ") else 0
    return Said(status, interim + head, body, closed)


def _split_interim(data: bytes) -> tuple[bytes, bytes]:
    if data.startswith(b"HTTP/1.1 1"):
        interim, end, rest = data.partition(END)
        return interim + end, rest
    return b"", data


def _is_whole(data: bytes) -> bool:
    head, end, body = _split_interim(data)[1].partition(END)
    if not end:
        return False
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return not lengths or len(body) >= int(lengths[0].partition(b":")[2])

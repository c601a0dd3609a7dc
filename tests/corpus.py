"""Reads tests/data/corpus: requests and events that should not be, or only just, and what each of them gets.

    transport.jsonl  requests, and the status of the answer; `sent` as it is, or made of method, path, headers, body
    values.jsonl     JSON values, and what a page hit gets that has one as `age_s` or as `referrer`: "ok" or a code;
                     `not_json`: no body that has one is read
    events.jsonl     events of the built-in example: `refused` by that code and field, or accepted

One case a line. Bytes are spelled as text, a list of pieces, or {"hex": ...}, {"repeat": [piece, times]} (a % in it is
the number), {"gzip": piece}, {"cut": [piece, bytes off its end]}, {"chunks": piece, "of": bytes}, {"hit": {field: raw}}
(a good page hit and more fields, as raw JSON) and {"padded": size} (a good page hit of that size). What must not come
back, nor stand in a log, has the word canary in it.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import orjson

from collector.tools.wire import request

HIT: dict[str, Any] = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/pricing"}
BODY = orjson.dumps(HIT)
CANARY = b"canary"
CODES = {
    400: {"bad_request", "not_json", "bad_gzip"},
    404: {"not_found"},
    405: {"method_not_allowed"},
    413: {"too_large", "too_many"},
    415: {"unsupported"},
    421: {"misdirected"},
}


def cases(name: str) -> dict[str, dict[str, Any]]:
    """The cases of a file by what they are."""
    lines = (Path(__file__).parent / "data" / "corpus" / f"{name}.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line]
    found = {row["is"]: row for row in rows}
    assert len(found) == len(rows), f"{name}: two cases have one name"
    return found


def spelled(piece: object) -> bytes:  # noqa: PLR0911 - one for each way of spelling
    """The bytes that a piece stands for."""
    match piece:
        case str():
            return piece.encode()
        case list():
            return b"".join(map(spelled, piece))
        case {"hex": digits}:
            return bytes.fromhex(digits)
        case {"repeat": [of, times]}:
            text, times = spelled(of), int(times)
            return b"".join(text.replace(b"%", b"%d" % turn) for turn in range(times)) if b"%" in text else text * times
        case {"gzip": of}:
            return gzip.compress(spelled(of))
        case {"cut": [of, size]}:
            return spelled(of)[: -int(size)]
        case {"chunks": of, "of": size}:
            return chunks(spelled(of), size)
        case {"hit": fields}:
            return hit(**{name: spelled(raw) for name, raw in fields.items()})
        case {"padded": size}:
            return BODY[:-1] + b" " * (int(size) - len(BODY)) + b"}"
    raise AssertionError(piece)


def hit(**raw: bytes) -> bytes:
    """A good page hit with more fields, as raw JSON."""
    return BODY[:-1] + b"".join(b',"%s":%s' % (name.encode(), text) for name, text in raw.items()) + b"}"


def chunks(body: bytes, size: int = 65_536) -> bytes:
    """A body as chunks of that size, and the last one."""
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def sent_by(case: dict[str, Any]) -> bytes:
    """The request of a case of transport.jsonl."""
    if "sent" in case:
        return spelled(case["sent"])
    headers = {name: spelled(text).decode("utf-8", "surrogateescape") for name, text in case.get("headers", {}).items()}
    path = spelled(case.get("path", "/v1/events")).decode("utf-8", "surrogateescape")
    return request(spelled(case.get("body", {"hit": {}})), headers, method=case.get("method", "POST"), path=path)

"""Requests and bodies that should not be, or only just, and what each of them gets.

TRANSPORT    whole requests, as bytes, and the status of the answer
NOT_JSON     bodies that are refused whole
REFUSED      events, as JSON, that are refused by that code and cost no neighbour
READ         events that look wrong and are accepted
"""

from __future__ import annotations

import gzip
from typing import Any

import orjson

from collector.tools.wire import request

HIT: dict[str, Any] = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/pricing"}
BODY = orjson.dumps(HIT)
ZIPPED = gzip.compress(BODY)
MAX_BODY = 262_144
GZIP = {"Content-Encoding": "gzip"}
CHUNKED = {"Transfer-Encoding": "chunked"}


def padded(size: int) -> bytes:
    return BODY[:-1] + b" " * (size - len(BODY)) + b"}"


def chunks(body: bytes, size: int = 65_536) -> bytes:
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def lines(number: int) -> dict[str, str]:
    return {f"X-{each}": "1" for each in range(number - 2)}  # Host and Content-Length are there, too


TRANSPORT: dict[str, tuple[bytes, int]] = {
    "as it should be": (request(BODY), 204),
    "no body": (request(b""), 400),
    "262144 bytes": (request(padded(MAX_BODY)), 204),
    "262145 bytes": (request(padded(MAX_BODY + 1)), 413),
    "262144 bytes in chunks": (request(chunks(padded(MAX_BODY)), CHUNKED), 204),
    "262145 bytes in chunks": (request(chunks(padded(MAX_BODY + 1)), CHUNKED), 413),
    "50,000 chunks of a byte": (request(chunks(padded(50_000), 1), CHUNKED), 204),
    "a torn chunk": (request(b"5\r\n[]", CHUNKED) + b"\r\nzz\r\n", 400),
    "100,000 trailers": (request(chunks(BODY)[:-2] + b"a: b\r\n" * 100_000 + b"\r\n", CHUNKED), 400),
    "length and chunks": (request(chunks(BODY), {**CHUNKED, "Content-Length": "5"}), 400),
    "two lengths": (request(BODY, {"Content-Length": str(len(BODY)), "content-length": "2"}), 400),
    **{f"length {text}": (request(b"{}", {"Content-Length": text}), 400) for text in ("+2", "-1", "1_0", "0x2", "")},
    "length 2^64": (request(b"{}", {"Content-Length": str(2**64)}), 400),
    "length 2^63": (request(b"{}", {"Content-Length": str(2**63)}), 413),
    **{
        f"transfer {text}": (request(chunks(BODY), {"Transfer-Encoding": text}), 400)
        for text in ("gzip", "gzip, chunked", "chunked, chunked", "chunked, identity", "xchunked")
    },
    "a header value of 4096": (request(BODY, {"X": "a" * 4096}), 204),
    "a header value of 4097": (request(BODY, {"X": "a" * 4097}), 400),
    "a header of 100,000": (request(BODY, {"X": "a" * 100_000}), 400),
    "a target of 4097": (request(BODY, path="/v1/events?" + "a" * 4086), 400),
    "64 headers": (request(BODY, lines(64)), 204),
    "65 headers": (request(BODY, lines(65)), 400),
    "no host": (b"POST /v1/events HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400),
    "two hosts": (request(BODY, {"host": "127.0.0.1"}), 400),
    "a foreign host": (request(BODY, {"Host": "evil.example"}), 421),
    "an empty host": (request(BODY, {"Host": ""}), 421),
    "an absolute foreign address": (request(BODY, path="http://evil.example/v1/events"), 421),
    "a host in capitals with a port": (request(BODY, {"Host": "LocalHost:8080"}), 204),
    "a folded header": (request(BODY, {"A": "b\r\n c"}), 400),
    "bare line feeds": (b"POST /v1/events HTTP/1.1\nHost: localhost\nContent-Length: 2\n\n{}", 400),
    "NUL in a header": (request(BODY, {"A": "b\0c"}), 400),
    "NUL in a header's name": (request(BODY, {"A\0b": "c"}), 400),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", 400),
    "HTTP/2.0": (b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n", 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)), 400),
    "garbage": (b"\x00\xff\xfe\r\n\r\n", 400),
    "a web socket": (request(method="GET", headers={"Upgrade": "websocket", "Connection": "Upgrade"}), 400),
    "an upgrade with a body": (request(BODY, {"Upgrade": "h2c", "Connection": "Upgrade"}), 400),
    "gzip": (request(ZIPPED, GZIP), 204),
    "gzip without its end": (request(ZIPPED[:-5], GZIP), 400),
    "gzip with a wrong checksum": (request(ZIPPED[:-8] + bytes(8), GZIP), 400),
    "gzip of nothing": (request(b"", GZIP), 400),
    "no gzip at all": (request(BODY, GZIP), 400),
    "a gzip bomb": (request(gzip.compress(bytes(20_000_000)), GZIP), 413),
    "gzip with a tail": (request(ZIPPED + b"x", GZIP), 400),
    "gzip after gzip": (request(ZIPPED + ZIPPED, GZIP), 400),
    "gzip in gzip": (request(gzip.compress(ZIPPED), GZIP), 400),
    "gzip said twice": (request(ZIPPED, {**GZIP, "content-encoding": "gzip"}), 415),
    **{f"{text}": (request(ZIPPED, {"Content-Encoding": text}), 415) for text in ("br", "zstd", "gzip, gzip", "")},
    **{
        f"type {text}": (request(BODY, {"Content-Type": text}), status)
        for text, status in {
            "application/json; charset=utf-8": 204,
            "text/plain": 204,
            "application/xml": 415,
            "multipart/form-data; boundary=x": 415,
        }.items()
    },
}
CODES = {400: {"bad_request", "not_json", "bad_gzip"}, 413: {"too_large"}, 415: {"unsupported"}, 421: {"misdirected"}}


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def event(**raw: bytes) -> bytes:
    """A hit with one more field, as raw JSON."""
    return BODY[:-1] + b"".join(b',"%s":%s' % (name.encode(), text) for name, text in raw.items()) + b"}"


NOT_JSON = {
    **{text: text.encode() for text in ("NaN", "[Infinity]", "[1e999]", "null", '"x"')},
    "NaN inside": event(age_s=b"NaN"),
    "5,000 digits": event(age_s=b"9" * 5000),
    "half a surrogate": event(referrer=b'"\\ud800"'),
    "half a surrogate in UTF-8": event(referrer=b'"\xed\xa0\x80"'),
    "a byte that is no UTF-8": event(referrer=b'"\xff"'),
    "Latin-1": event(referrer=b'"\xe9"'),
    "overlong": event(referrer=b'"\xc0\xaf"'),
    "a byte order mark": b"\xef\xbb\xbf" + BODY,
    "UTF-16": BODY.decode().encode("utf-16"),
    "100,000 levels": deep(100_000),
    "a raw control character": event(referrer=b'"a\x01"'),
}
REFUSED = {
    "8 levels": (event(x=deep(7)), "unknown_key"),
    "9 levels": (event(x=deep(8)), "too_deep"),
    "1000 levels": (event(x=deep(999)), "too_deep"),
    "30 keys": (event(**{f"k{n}": b"1" for n in range(27)}), "unknown_key"),
    "31 keys": (event(**{f"k{n}": b"1" for n in range(28)}), "too_many"),
    "10,000 keys": (event(**{f"k{n}": b"1" for n in range(9_997)}), "too_many"),
    "2^53 + 1": (event(age_s=b"9007199254740993"), "out_of_bounds"),
    "2^63": (event(age_s=b"9223372036854775808"), "out_of_bounds"),
    "2^64": (event(age_s=b"18446744073709551616"), "wrong_type"),
    "1e3 for a count": (event(age_s=b"1e3"), "wrong_type"),
    "-1 for a count": (event(age_s=b"-1"), "out_of_bounds"),
    "NUL in a url": (BODY.replace(b"pricing", b"pri\\u0000cing"), "bad_pattern"),
    "NUL in a key": (BODY[:-1] + b',"a\\u0000":1}', "unknown_key"),
    "NUL in a site": (BODY.replace(b'e.org",', b'e.org\\u0000",'), "unknown_property"),
    "a key said twice": (event(kind=b'"odd"'), "unknown_kind"),
    "__proto__": (event(__proto__=b"{}"), "unknown_key"),
    "a list": (b"[]", "wrong_type"),
    "null": (b"null", "wrong_type"),
    "1e308": (b"1e308", "wrong_type"),
}
READ = {
    "NUL in a referrer": event(referrer=b'"a\\u0000b"'),
    "-0": event(age_s=b"-0"),
    "2^53": event(age_s=b"9007199254740992"),
}

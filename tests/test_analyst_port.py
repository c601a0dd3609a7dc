"""The analyst port as a socket: what it says to requests that are none, how much it takes, how long it waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from collector.analyst.access import HEADERS
from collector.tools.wire import Said, request, say
from tests.stack import Stack

CANARY = "zq9canary"
WHO = "/api/v1/session"


def get(headers: dict[str, str] | None = None, path: str = f"/{CANARY}") -> bytes:
    return request(method="GET", path=path, headers=headers)


def many(number: int) -> dict[str, str]:
    return {f"X-{each}": "1" for each in range(number - 1)}  # Host is there, too


BROKEN: dict[str, bytes] = {
    "garbage": b"\x00\xff\xfe" + CANARY.encode() + b"\r\n\r\n",
    "a method that is none": f"{CANARY}({{}}) / HTTP/1.1\r\n\r\n".encode(),
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + CANARY.encode(),
    "HTTP/0.9": f"GET /{CANARY}\r\n\r\n".encode(),
    "HTTP/2.0": f"GET /{CANARY} HTTP/2.0\r\nHost: localhost\r\n\r\n".encode(),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "bare line feeds": f"GET /{CANARY} HTTP/1.1\nHost: localhost\n\n".encode(),
    "NUL in a header": get({"A": f"{CANARY}\0"}),
    "a header's name that is none": get({f"{CANARY} b": "c"}),
    "a folded header": get({"A": f"b\r\n {CANARY}"}),
    "an address that is none": get(path=f"http://[{CANARY}/"),
    "an address whose host is none": get(path=f"http://xn--a/{CANARY}"),
    "a CONNECT to nowhere": b"CONNECT \nHost:\r\n\r\n",
    "no host": f"GET /{CANARY} HTTP/1.1\r\n\r\n".encode(),
    "two hosts": get({"host": CANARY}),
    "a length that is none": request(b"{}", {"Content-Length": f"1{CANARY}"}, path=WHO),
    "length and chunks": request(b"{}", {"Content-Length": "5", "Transfer-Encoding": "chunked"}, path=WHO),
    "a torn chunk": request(f"{CANARY}\r\n".encode(), {"Transfer-Encoding": "chunked"}, path=f"/{CANARY}"),
    "a target of 8,191": get(path="/" + CANARY * 1_000),
    "a header of 8,191": get({"A": CANARY * 1_000}),
    "65 headers": get(many(65) | {"A": CANARY}),
    "an upgrade": get({"Upgrade": CANARY, "Connection": "Upgrade"}),
    "an expectation that nobody knows": get({"Expect": CANARY}, "/"),
}
WHOLE: dict[str, tuple[bytes, int, str]] = {
    "nothing there": (get(), 404, "not_found"),
    "another method": (request(b"", method="DELETE", path="/metrics"), 405, "method_not_allowed"),
    "nobody": (get(path=WHO), 401, "unauthorized"),
    "no body of ours": (request(b"{", {"Content-Type": "application/json"}, path=WHO), 400, "bad_request"),
    "8,193 bytes": (request(b" " * 8_193, {"Content-Type": "application/json"}, path=WHO), 413, "too_large"),
    "no cookie": (get({"Cookie": f'collector="{CANARY}\\; ={CANARY}; ,;'}, WHO), 401, "unauthorized"),
}


def assert_ours(said: Said, status: int, code: str) -> None:
    assert (said.status, said.code) == (status, code), said
    head = said.head.decode("ascii").lower()
    assert "server:" not in head
    for name, text in HEADERS.items():
        assert f"{name}: {text}".lower() in head
    assert CANARY not in head + said.body.decode()


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_request_gets_a_closed_answer_and_nothing_of_itself_back(shared_stack: Stack, name: str) -> None:
    said = say(shared_stack.analyst, BROKEN[name], wait=True)
    assert said.closed
    assert_ours(said, 400, "bad_request")
    assert CANARY not in shared_stack.log_text
    assert "Traceback" not in shared_stack.log_text


@pytest.mark.parametrize("name", WHOLE)
def test_a_refusal_never_names_the_server(shared_stack: Stack, name: str) -> None:
    sent, status, code = WHOLE[name]
    assert_ours(say(shared_stack.analyst, sent), status, code)


def test_what_just_keeps_the_limits_is_answered(shared_stack: Stack) -> None:
    assert say(shared_stack.analyst, get(many(64), "/healthz" + "a" * 8_000)).status == 404
    assert say(shared_stack.analyst, get({"A": "a" * 8_100}, "/metrics")).status == 200
    assert say(shared_stack.analyst, get({"Expect": "100-continue"}, "/metrics")).status in (100, 200)


@pytest.mark.slow
def test_nobody_is_waited_for_long(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack()
    stalled = request(b"{", {"Content-Type": "application/json", "Content-Length": "9"}, path=WHO)
    slow: dict[str, tuple[bytes, float, float, int]] = {
        "silent": (b"", 14, 18, 0),
        "in the head": (b"GET / HT", 14, 18, 0),
        "idle": (get(), 14, 18, 404),
        "stalled": (stalled, 4.5, 9, 400),
    }

    def seconds_of(sent: bytes) -> tuple[float, Said]:
        began = time.monotonic()
        said = say(stack.analyst, sent, wait=True, patience_s=25)
        return time.monotonic() - began, said

    with ThreadPoolExecutor() as together:
        ends = {name: together.submit(seconds_of, sent) for name, (sent, *_) in slow.items()}
        for name, end in ends.items():
            _, least_s, most_s, status = slow[name]
            seconds, said = end.result()
            assert said.closed, name
            assert (name, said.status) == (name, status)
            assert least_s < seconds < most_s, name

"""Every request gets an answer of ours, within its limits and in time, whatever bytes it is made of."""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict
from structlog.testing import capture_logs

from collector.door.caller import Callers, packed
from collector.settings import read_settings
from collector.tools.wire import HEAD, Said, connect, hear, request, say
from tests.corpus import BODY, CANARY, CODES, cases, sent_by
from tests.counting import gained_by, load, today
from tests.stack import ROOT, Stack

TRANSPORT = cases("transport")
HIDDEN = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"  # after it: never answered where the first one is broken
CHUNKED = {"Transfer-Encoding": "chunked"}
SETTINGS = """
trusted_proxies = ["127.0.0.1/32", "192.0.2.0/24", "2001:db8:9::/48"]
public_hosts = ["localhost", "127.0.0.1"]
keepalive_s = 1
network_requests_per_s = 0.1
"""


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One collector for all tests of this file; at the end it must have failed at nothing."""
    example = (ROOT / "collector" / "example.toml").read_text("utf-8")
    stack = Stack(tmp_path_factory.mktemp("limits"), config=SETTINGS + example)
    yield stack
    try:
        assert stack.metrics().get('collector_bodies_refused_total{status="500"}', 0) == 0
        assert "request failed" not in stack.log_text
        assert "canary" not in stack.log_text.lower()
        assert len(stack.children("worker")) == 1
        assert stack.log_text.count('process="worker 0"') == 1  # the first one still
        stack.stop()
    finally:
        stack.sweep()


@pytest.mark.parametrize("name", TRANSPORT)
def test_a_request_is_answered_within_the_limits_and_hides_no_other(door: Stack, name: str) -> None:
    sent, status = sent_by(TRANSPORT[name]), TRANSPORT[name]["status"]
    with connect(door.public) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before it has read everything
            connection.sendall(sent + HIDDEN)
        said, more = _split(hear(connection))
        if b"\r\nConnection: close" in said.head:
            assert (more, hear(connection, wait=True)) == (b"", Said(0, b"", b"", closed=True))
    assert said.status == status
    if status >= 400:
        assert_is_ours(said)
    assert say(door.public, request(BODY)).status == 204


def _split(heard: Said) -> tuple[Said, bytes]:
    """The first answer, and what came behind it."""
    length = re.search(rb"\r\nContent-Length: (\d+)", heard.head)
    size = int(length[1]) if length else 0
    return heard._replace(body=heard.body[:size]), heard.body[size:]


def assert_is_ours(said: Said) -> None:
    """The answer is an error body of the collector's own, and nothing that was sent is in it."""
    assert said.code in CODES[said.status]
    assert said.json.keys() == {"error"}
    assert said.json["error"].keys() == {"code", "field", "message"}
    assert b"\r\nAccess-Control-Allow-Origin: *\r\n" in said.head
    assert not [name for name in (b"server:", b"date:", b"set-cookie:") if b"\r\n" + name in said.head.lower()]
    assert CANARY not in said.head.lower() + said.body.lower()


def test_an_old_client_is_answered_and_left(door: Stack) -> None:
    for more in (b"", b"Connection: keep-alive\r\n"):
        said = say(door.public, b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n%s\r\n" % more, wait=True)
        assert (said.status, said.closed) == (200, True)
        assert b"\r\nConnection: close" in said.head


def test_who_asks_whether_to_go_on_is_told(door: Stack) -> None:
    waits = {"Expect": "100-continue", "Content-Length": str(len(BODY))}
    with connect(door.public) as connection:
        connection.sendall(request(headers=waits))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert hear(connection).status == 204
    assert say(door.public, request(headers={**waits, "Content-Length": "300000"})).status == 413


def test_a_body_cut_anywhere_is_no_json(door: Stack) -> None:
    with connect(door.public) as connection:
        for end in range(len(BODY)):
            connection.sendall(request(BODY[:end]))
            assert hear(connection).code == "not_json", end


# --- time -------------------------------------------------------------------------------------------------------------


def test_nobody_is_waited_for_long_and_nobody_unread_is_answered_for_ever(door: Stack) -> None:
    slow: dict[str, Callable[[str], tuple[int, float]]] = {
        "stalled": lambda address: _timed(address, request(b"{", {"Content-Length": "9"})),
        "dripping": lambda address: _dripping(address, request(b"{", {"Content-Length": "99"})),
        "chunked": lambda address: _timed(address, request(b"1\r\n[\r\n", CHUNKED)),
        "silent": lambda address: _timed(address, b""),
        "in the head": lambda address: _dripping(address, HEAD),
        "idle": lambda address: _timed(address, request(BODY)),
    }
    due = {**dict.fromkeys(("stalled", "dripping", "chunked"), (408, 4.5, 9.0)), "idle": (204, 0.8, 5.0)}
    with ThreadPoolExecutor() as together:
        ends = {name: together.submit(act, door.public) for name, act in slow.items()}
        unread = together.submit(_never_reading, door.public)
        for name, end in ends.items():
            status, least_s, most_s = due.get(name, (0, 0.8, 5.0))
            said, seconds = end.result()
            assert (name, said) == (name, status)
            assert least_s < seconds < most_s, name
        assert unread.result()


def _timed(address: str, sent: bytes) -> tuple[int, float]:
    began = time.monotonic()
    said = say(address, sent, wait=True, patience_s=20)
    assert said.closed
    return said.status, time.monotonic() - began


def _dripping(address: str, sent: bytes) -> tuple[int, float]:
    """Send a letter now and then, until the other side has had enough."""
    began, heard = time.monotonic(), b""
    with connect(address, patience_s=0.2) as connection:
        connection.sendall(sent)
        while time.monotonic() < began + 20:
            try:
                connection.sendall(b"a")
                if not (more := connection.recv(1000)):
                    break
                heard += more
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                break
    return int(heard.split(b" ", 2)[1] if heard else 0), time.monotonic() - began


def _never_reading(address: str) -> bool:
    """Whether the other side ends a connection on which answers are asked for and never read."""
    many = request(b"[" + b"1," * 19 + b"1]") * 500  # each has an answer of 1.8 kB
    with connect(address, patience_s=15) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        try:
            for _ in range(400):
                connection.sendall(many)
        except (BrokenPipeError, ConnectionResetError):
            return True
    return False


def test_a_connection_is_kept_for_15_seconds_unless_the_operator_says_otherwise() -> None:
    assert read_settings({}, {}).keepalive_s == 15


@pytest.mark.slow
def test_by_default_a_silent_connection_ends_after_15_seconds(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack()
    with ThreadPoolExecutor() as together:
        for end in [together.submit(_timed, stack.public, sent) for sent in (b"", request(BODY))]:
            assert 14 < end.result()[1] < 18


def test_a_network_has_the_allowance_that_is_configured(door: Stack) -> None:
    told = [say(door.public, request(BODY, {"X-Forwarded-For": f"81.2.69.{last}"})).status for last in (1, 2)]
    assert told == [204, 429]  # one request in ten seconds


# --- who is calling ---------------------------------------------------------------------------------------------------

FORGED = {
    **dict.fromkeys(("X-Forwarded-For", "X-Real-IP", "X-Client-IP", "True-Client-IP"), "198.51.100.23"),
    **dict.fromkeys(("CF-Connecting-IP", "Fastly-Client-IP", "X-Cluster-Client-IP"), "198.51.100.23"),
    "Forwarded": "for=198.51.100.23",
    "X-Forwarded-Host": "evil.example",
    "Via": "1.1 198.51.100.23",
    "CF-IPCountry": "ZZ",
    "X-Country-Code": "ZZ",
}


def test_forged_headers_of_an_untrusted_peer_change_nothing(door: Stack) -> None:
    assert _new_visitors(door, "127.9.9.9", {}) == 1
    assert len(FORGED) == 12
    assert _new_visitors(door, "127.9.9.9", FORGED) == 0


def test_the_caller_is_the_rightmost_hop_that_is_no_proxy(door: Stack) -> None:
    for hops, new in (
        ("203.0.113.1, 198.51.100.7, 192.0.2.9", 1),
        ("203.0.113.2, 198.51.100.7, 192.0.2.9", 0),  # what is left of the caller was said by the caller
        ("198.51.100.7", 0),
        ("198.51.100.8, 192.0.2.9", 1),
    ):
        assert _new_visitors(door, "127.0.0.1", {"X-Forwarded-For": hops}) == new, hops


def _new_visitors(stack: Stack, source: str, headers: dict[str, str]) -> int:
    """How many visitors a hit more makes."""
    before = _visitors(stack)
    gained_by(stack, lambda: say(stack.public, request(BODY, headers), source=source), 1)
    return _visitors(stack) - before


def _visitors(stack: Stack) -> int:
    load(stack)
    return int(stack.ask("traffic", property="www.example.org", **today())["totals"]["visitors"])


@pytest.mark.parametrize(
    ("peer", "hops", "caller"),
    [
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.7, unknown, 192.0.2.1"], "192.0.2.1"),
        ("127.0.0.1", ["198.51.100.7, 192.0.2.1,"], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.2, 192.0.2.1"], "192.0.2.2"),
        ("127.0.0.1", ["198.51.100.7", "192.0.2.1"], "198.51.100.7"),
        ("127.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("127.0.0.1", ["[2001:db8::7]:4711, 2001:db8:9::1"], "2001:db8::7"),
        ("127.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("::ffff:127.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("198.51.100.9", ["198.51.100.7"], "198.51.100.9"),
    ],
)
def test_hops_are_counted_from_the_right(peer: str, hops: list[str], caller: str) -> None:
    headers = CIMultiDict([("X-Forwarded-For", hop) for hop in hops])
    asked = make_mocked_request("POST", "/v1/events", headers=headers).clone(remote=peer)
    networks = tuple(map(ipaddress.ip_network, ("127.0.0.1/32", "192.0.2.0/24", "2001:db8:9::/48")))
    assert Callers(networks, "X-Forwarded-For").of(asked).address == packed(caller)
    assert Callers((), "X-Forwarded-For").of(asked).address == packed(peer)


@pytest.mark.parametrize(
    ("peer", "headers", "lines"),
    [
        ("127.0.0.1", {"X-Forwarded-For": "81.2.69.1"}, 1),
        ("fd00::7", {"X-Forwarded-For": "81.2.69.1"}, 1),
        ("10.0.0.7", {"x-forwarded-for": "81.2.69.1"}, 1),
        ("10.0.0.7", {}, 0),
        ("192.0.2.1", {"X-Forwarded-For": "81.2.69.1"}, 0),  # a trusted one
        ("81.2.69.9", {"X-Forwarded-For": "10.0.0.7"}, 0),  # anybody
    ],
)
def test_a_proxy_that_the_operator_forgot_is_told_of_once(peer: str, headers: dict[str, str], lines: int) -> None:
    callers = Callers((ipaddress.ip_network("192.0.2.0/24"),), "X-Forwarded-For")
    asked = make_mocked_request("POST", "/v1/events", headers=CIMultiDict(headers)).clone(remote=peer)
    with capture_logs() as logged:
        for _ in range(2):
            callers.of(asked)
    assert len(logged) == lines
    assert "69" not in str(logged)

"""No request turns a counting redirect into an open one: each of a table of tricks gets the answer of a plain request.

The table is tests/data/redirect_tricks.tsv. An answer that is, byte for byte, the answer to a plain request of the same
outcome holds nothing of the trick; what the plain ones hold is looked at by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from collector.tools.wire import END, Said, say
from tests.nasty import corpus
from tests.stack import ROOT, Stack

TRICKS = {what: (served, anywhere, sent) for what, served, anywhere, sent in corpus("redirect_tricks.tsv")}
HOST = "\r\nHost: localhost"
PLAIN = {
    "forum": "GET /go/forum HTTP/1.1" + HOST,
    "setup": "GET /dl/player/1.4.2/player-setup.exe HTTP/1.1" + HOST,
    "not_found": "GET /nothing HTTP/1.1" + HOST,
    "method": "DELETE /v1/events HTTP/1.1" + HOST,
    "misdirected": "GET /nothing HTTP/1.1\r\nHost: elsewhere",
    "bad_request": "no HTTP",
    "other_protocol": "GET /nothing HTTP/1.1\r\nUpgrade: h2c" + HOST,
}
LEADS_TO = {
    "forum": b"https://forum.example.net/",
    "setup": b"https://downloads.example.net/player-1.4.2-setup.exe",
}
STATUS = {"not_found": 404, "method": 405, "misdirected": 421, "bad_request": 400, "other_protocol": 400}
LEADING = {"access-control-allow-origin", "cache-control", "content-length", "location", "x-robots-tag"}
REFUSING = {"access-control-allow-origin", "cache-control", "content-length", "content-type", "x-content-type-options"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A collector that serves localhost only; at the end it must have failed at nothing."""
    example = (ROOT / "collector" / "example.toml").read_text("utf-8")
    stack = Stack(tmp_path_factory.mktemp("tricks"), config='public_hosts = ["localhost"]\n' + example)
    yield stack
    try:
        assert "request failed" not in stack.log_text
        stack.stop()
    finally:
        stack.sweep()


def test_plain_requests_are_led_where_the_configuration_says_and_told_nothing_else(served: Stack) -> None:
    assert len(TRICKS) >= 60
    for name, sent in PLAIN.items():
        said = answered(served, sent)
        headers = [line.partition(b": ") for line in said.head.split(b"\r\n")[1:]]
        told = {header.decode().lower() for header, _, _ in headers}
        if name in LEADS_TO:
            assert [value for header, _, value in headers if header == b"Location"] == [LEADS_TO[name]]
            assert (said.status, said.body, told) == (302, b"", LEADING)
        else:
            assert (said.status, told) == (STATUS[name], REFUSING)


@pytest.mark.parametrize("what", TRICKS)
def test_a_trick_gets_an_answer_that_holds_nothing_of_it(served: Stack, shared_stack: Stack, what: str) -> None:
    expected, anywhere, sent = TRICKS[what]
    assert answered(served, sent) == answered(served, PLAIN[expected])
    expected = expected if anywhere == "=" else anywhere
    assert answered(shared_stack, sent) == answered(shared_stack, PLAIN[expected])


def answered(stack: Stack, sent: str) -> Said:
    """The answer; whether it ends the connection is no part of it."""
    said = say(stack.public, whole(sent))
    return said._replace(head=said.head.replace(b"\r\nConnection: close", b""), closed=False)


def whole(sent: str) -> bytes:
    """A request of the table, or a plain one, as bytes."""
    sent = re.sub(r"(a=b&|.)\{(\d+)\}", lambda found: found[1] * int(found[2]), sent)
    if " HTTP" not in sent:
        sent += " HTTP/1.1" + HOST
    data = sent.encode("latin-1")
    return data if END in data else data + END

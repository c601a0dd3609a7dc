"""Of the addresses, agents, paths and queries that were sent, nothing is in a log, a file or an answer.

`collector prove` searches everything (test_prove.py); here are the door alone with a handler that fails, the metrics'
names, and the search itself: it finds each of them where it was put on purpose, and catches an ordinary application.
"""

from __future__ import annotations

import asyncio
import base64
import io
import ipaddress
import logging
import os
import resource
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from collector.tools.prove.forms import ADDRESS, ADDRESSES, PEER, Canaries
from collector.tools.prove.requests import CONFIGURATION, Requests
from collector.tools.prove.scan import scan_files
from collector.tools.prove.sending import send
from collector.tools.wire import say
from tests.counting import events_seen, settle
from tests.stack import ROOT, Stack

CANARIES = Canaries()
REQUESTS = Requests(CANARIES.words)
FAILING = """
import asyncio, socket, sys
from types import SimpleNamespace
from collector.door.connections import Limits
from collector.door.server import Door
from collector.log import configure, loop_exception_handler
class Receiver:
    async def receive(self, request):
        local = dict(request.headers)
        await request.read()
        raise ValueError(f"{local} {request.rel_url}")
    receive_one = count_aside = receive
    def lap(self): pass
async def main():
    asyncio.get_running_loop().set_exception_handler(loop_exception_handler)
    listener = socket.create_server(("127.0.0.1", 0))
    tally = SimpleNamespace(flush=lambda: None, refused_body=lambda status: None)
    await Door(Receiver(), SimpleNamespace(sites={}), tally, public_hosts=(), limits=Limits(1)).open(listener)
    print(listener.getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
configure("debug")
asyncio.run(main())
"""


def found_in(data: bytes) -> set[str]:
    """What of everything that was sent stands in these bytes."""
    return {what for what, _ in CANARIES.within(data)}


def test_no_metric_has_a_name_or_a_label_of_a_request(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack(config=CONFIGURATION)
    series = stack.metrics().keys()
    answers = send(stack.public, ((whole,) for whole in [*REQUESTS.good(), *REQUESTS.odd()]), lambda sent: None)
    assert max(answers) < 500
    assert {200, 204, 400, 404, 405, 413, 415} <= answers.keys()
    settle(stack)
    seen = events_seen(stack)
    assert seen["accepted"] >= 20
    assert seen["not_counted"] >= 4
    assert stack.metrics().keys() == series


def test_no_process_leaves_its_memory_on_disk_when_it_crashes(start_stack: Callable[..., Stack]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        stack = start_stack()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    for pid in (stack.process.pid, *stack.children()):
        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)


def test_a_failing_handler_says_nothing_of_its_request() -> None:
    environ = {**os.environ, "PYTHONASYNCIODEBUG": "1"}
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", FAILING], cwd=ROOT, env=environ, **pipes) as process:
        assert process.stdout
        address = f"127.0.0.1:{int(process.stdout.readline())}"
        for said in (say(address, whole, source=PEER) for whole in REQUESTS.good()[:4]):
            assert (said.status, said.code) == (500, "internal")
            assert found_in(said.head + said.body) == set()
        log = process.communicate()[1]
    assert log.count(b"request failed") == 4
    assert b"error=ValueError" in log
    assert found_in(log) == set()


# --- the search itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_search_finds_an_address_in_every_form(tmp_path: Path, address: str) -> None:
    read = ipaddress.ip_address(address)
    packed = read.packed
    big, little = int.from_bytes(packed, "big"), int.from_bytes(packed, "little")
    forms = [address.encode(), address.upper().encode(), read.exploded.encode(), read.reverse_pointer.encode()]
    forms += [packed, packed[::-1], packed.hex().encode(), packed[::-1].hex().upper().encode()]
    forms += [base64.b64encode(packed), base64.urlsafe_b64encode(packed), str(big).encode(), str(little).encode()]
    forms += [base64.b64encode(b"from "[at:] + address.encode() + b" it came") for at in range(3)]
    forms += [address.encode("utf-16"), address.encode("utf-32-le"), address[::-1].encode()]
    for number, form in enumerate(forms):
        planted = tmp_path / str(number) / "segment"
        planted.parent.mkdir()
        assert not scan_files("planted", [planted.parent], CANARIES).hits
        planted.write_bytes(secrets.token_bytes(1000) + form + secrets.token_bytes(1000))
        found = scan_files("planted", [planted.parent], CANARIES).hits
        assert {hit.what for hit in found} == {address}, form


def test_every_form_is_found_where_it_stands_and_named() -> None:
    keys = [secrets.token_bytes(32)]
    with_keys = CANARIES.with_keys(keys)
    assert len(with_keys.forms) >= 300
    for form in with_keys.forms:
        padded = b"\x01" * 40 + (form.needle.upper() if form.any_case else form.needle) + b"\x01" * 40
        assert (form.what, form.how) in with_keys.within(padded), form
    assert not with_keys.within(b"\x01" * 100)


async def test_the_search_catches_an_ordinary_application() -> None:
    told = io.StringIO()
    handler = logging.StreamHandler(told)
    loggers = [logging.getLogger(name) for name in ("aiohttp.access", "aiohttp.server")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)

    async def fail(request: web.Request) -> web.Response:
        raise ValueError(f"{request.headers['X-Forwarded-For']}: {await request.text()}")

    app = web.Application()
    app.router.add_post("/v1/events", fail)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = f"127.0.0.1:{runner.addresses[0][1]}"
    for whole in [*REQUESTS.good(), *REQUESTS.odd()]:
        await asyncio.to_thread(say, address, whole, source=PEER, patience_s=0.5)
    await runner.cleanup()
    for logger in loggers:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    found = found_in(told.getvalue().encode("utf-8", "surrogateescape"))
    assert {ADDRESS, PEER, "agent", "header", "path", "query", "referrer"} <= found

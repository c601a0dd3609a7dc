"""No log line holds anything of a request, whatever fails and whoever says so."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.stack import ROOT, Stack

ADDRESS = "203.0.113.77"
AGENT = "CanaryAgent/7.7"
ADDRESS_OF_MINE = "127.77.66.55"
CANARIES = (ADDRESS, AGENT, ADDRESS_OF_MINE)
POST = "POST /v1/events HTTP/1.1\r\nHost: h\r\n"
GOOD = '{"kind":"page_hit","site":"www.example.org","url":"https://www.example.org/"}'
LINE = re.compile(r"time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z level=(debug|info|warning|error|critical) event=\S+")

# Each program makes somebody else's code complain about a caller.
COMPLAINTS = {
    "a library's message": "logging.getLogger('aiohttp.server').warning('bad request from %s', ADDRESS)",
    "a library's exception": "try: raise ValueError(ADDRESS)\n"
    "except ValueError: logging.getLogger('aiohttp.server').exception('request by %s', AGENT)",
    "a library's odd level": "logging.getLogger('x').log(35, ADDRESS); logging.getLogger('x').log(99, AGENT)",
    "a message that cannot be formatted": "logging.getLogger('aiohttp').error('%d', ADDRESS)",
    "a library with its own handler": "logging.getLogger('own').addHandler(logging.StreamHandler())\n"
    "configure('DEBUG'); logging.getLogger('own').error(ADDRESS)",
    "our own exception": "try: raise RuntimeError(ADDRESS, AGENT)\nexcept RuntimeError: log.exception('loading waits')",
    "a chained exception": "try:\n"
    " try: raise ValueError(ADDRESS)\n except ValueError as e:\n  raise OSError(AGENT) from e\n"
    "except OSError: log.exception('loading waits')",
    "a warning": "warnings.warn(ADDRESS); warnings.warn(AGENT, DeprecationWarning)",
    "a thread": "def f(): raise ValueError(ADDRESS)\nt = threading.Thread(target=f, name=AGENT); t.start(); t.join()",
    "a finalizer": "class F:\n def __del__(self): raise ValueError(ADDRESS)\nF()",
    "a task": "async def f(): raise ValueError(ADDRESS)\n"
    "async def m():\n asyncio.get_running_loop().set_exception_handler(loop_exception_handler)\n"
    " t = asyncio.create_task(f(), name=AGENT); await asyncio.sleep(0.01); del t; gc.collect()\nasyncio.run(m())",
    "a task without our handler": "async def f(): raise ValueError(ADDRESS)\n"
    "async def m():\n t = asyncio.create_task(f(), name=AGENT); await asyncio.sleep(0.01); del t; gc.collect()\n"
    "asyncio.run(m())",
    "a callback": "async def m():\n l = asyncio.get_running_loop(); l.set_exception_handler(loop_exception_handler)\n"
    " l.call_soon(lambda a: 1 / 0, ADDRESS); await asyncio.sleep(0.01)\nasyncio.run(m())",
    "a slow callback": "async def m():\n def slow(a): time.sleep(0.2)\n"
    " asyncio.get_running_loop().call_soon(slow, ADDRESS); await asyncio.sleep(0.3)\nasyncio.run(m())",
    "a socket left open at the end": "import builtins\ns = socket.create_server((ADDRESS_OF_MINE, 0))\n"
    "builtins.keep = socket.create_connection(s.getsockname(), source_address=(ADDRESS_OF_MINE, 0)); log.error('end')",
    "a coroutine nobody awaited": "async def f(a): return a\nf(ADDRESS); gc.collect()",
    "an uncaught exception": "raise ValueError(ADDRESS, AGENT)",
    "an uncaught group": "raise ExceptionGroup(ADDRESS, [ValueError(AGENT)])",
}
PREAMBLE = (
    "import asyncio, gc, logging, socket, sys, threading, time, warnings\n"
    "from collector.log import configure, log, loop_exception_handler, web_logger\n"
    f"configure('DEBUG')\nADDRESS = {ADDRESS!r}; AGENT = {AGENT!r}; ADDRESS_OF_MINE = {ADDRESS_OF_MINE!r}\n"
)


def _said(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", PREAMBLE + program],
        cwd=ROOT,
        env=os.environ | {"PYTHONASYNCIODEBUG": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    ).stderr


@pytest.mark.parametrize("complaint", COMPLAINTS)
def test_of_a_complaint_only_type_and_place_are_printed(complaint: str) -> None:
    said = _said(COMPLAINTS[complaint])
    assert said, "it must be heard"
    assert not [canary for canary in CANARIES if canary in said]
    assert "Traceback" not in said
    assert all(LINE.match(line) for line in said.splitlines()), said


REQUESTS = {
    "a good event": f"{POST}User-Agent: {AGENT}\r\nContent-Length: {len(GOOD)}\r\n\r\n{GOOD}",
    "an address that is none": f"GET /healthz HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: {ADDRESS}, {AGENT}\x7f\r\n\r\n",
    "a broken header": f"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For\x00: {ADDRESS}\r\n\r\n",
    "a folded header": f"GET / HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n {ADDRESS}\r\n\r\n",
    "a long header": f"GET / HTTP/1.1\r\nHost: h\r\nX-A: {ADDRESS * 2000}\r\n\r\n",
    "an odd path": f"GET /{ADDRESS}/%2e%2e/%00 HTTP/1.1\r\nHost: h\r\n\r\n",
    "no HTTP at all": f"{ADDRESS} {AGENT}\r\n\r\n",
    "TLS": f"\x16\x03\x01\x00\xa5\x01{ADDRESS}",
    "two lengths": f"{POST}Content-Length: 1\r\nContent-Length: 2\r\nX: {ADDRESS}\r\n\r\nx",
    "a body that is no JSON": f"{POST}Content-Length: 12\r\n\r\n{ADDRESS}",
    "a body that ends early": f"{POST}Content-Length: 999\r\n\r\n{ADDRESS}",
}


def test_no_request_leaves_a_trace_in_the_log_whatever_is_wrong_with_it(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack(environ={"PYTHONASYNCIODEBUG": "1", "PYTHONDEVMODE": "1", "COLLECTOR_LOG_LEVEL": "DEBUG"})
    for address in (stack.public, stack.analyst):
        for request in REQUESTS.values():
            host, _, port = address.rpartition(":")
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(request.encode("latin-1"))
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65_536):
                    pass
    stack.ask_raw("traffic", property=ADDRESS, from_=AGENT)
    stack.analyst_request("/api/v1/reports", token=f"{ADDRESS}{AGENT}")
    stack.wait_loaded(1)
    stack.stop()
    assert not [canary for canary in CANARIES if canary in stack.log_text]
    assert "Traceback" not in stack.log_text


def test_the_same_search_finds_what_stock_logging_prints() -> None:
    said = _said("logging.getLogger().handlers[:] = [logging.StreamHandler()]\n" + COMPLAINTS["a library's exception"])
    assert ADDRESS in said
    assert "Traceback" in said


def test_an_exception_is_told_by_type_file_and_line() -> None:
    said = _said("exec(compile('1 / 0', 'deep/inside/module.py', 'exec'))")
    assert "error=ZeroDivisionError at=inside/module.py:1" in said


def test_our_own_lines_are_key_and_value() -> None:
    said = _said("log.info('segment closed', segment='a b', events=3, odd='line\\nbreak', yes=True)")
    assert 'level=info event="segment closed" segment="a b" events=3 odd=line\\nbreak yes=true' in said
    assert len(said.splitlines()) == 1


def test_levels_below_the_wanted_one_are_silent() -> None:
    assert _said("configure('Warning'); log.info('a'); logging.getLogger('x').info('b')") == ""


def test_a_closed_stderr_ends_nothing() -> None:
    program = "import os, sys\nos.close(2)\nlog.error('lost')\nprint('alive')"
    run = subprocess.run(
        [sys.executable, "-c", PREAMBLE + program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert run.stdout == "alive\n"

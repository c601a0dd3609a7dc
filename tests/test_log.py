"""No log line holds anything of a request, whatever fails and whoever says so."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.stack import ROOT

ADDRESS = "203.0.113.77"
AGENT = "CanaryAgent/7.7"
CANARIES = (ADDRESS, AGENT)
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
    "a coroutine nobody awaited": "async def f(a): return a\nf(ADDRESS); gc.collect()",
    "an uncaught exception": "raise ValueError(ADDRESS, AGENT)",
    "an uncaught group": "raise ExceptionGroup(ADDRESS, [ValueError(AGENT)])",
}
PREAMBLE = (
    "import asyncio, gc, logging, threading, time, warnings\n"
    "from collector.log import configure, log, loop_exception_handler, web_logger\n"
    f"configure('DEBUG')\nADDRESS = {ADDRESS!r}; AGENT = {AGENT!r}\n"
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

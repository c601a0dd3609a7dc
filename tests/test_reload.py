"""SIGHUP: a changed configuration or version costs neither a request nor an epoch, and a bad one changes nothing."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import orjson
import pytest

from collector.tools import wire
from tests.copying import copied_code, edit
from tests.stack import Stack, eventually, is_alive
from tests.tiny_mmdb import database

HIT = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/"}
OTHER = {"kind": "page_hit", "site": "new.example.org", "url": "https://new.example.org/"}
GOOD = (200, 204)


def configuration(workers: int, *sites: str, public: str = "127.0.0.1:0") -> str:
    """A configuration with these sites, and ports of the machine's choice."""
    named = "".join(f'[[site]]\nid = "{site}"\nhosts = ["{site}"]\n' for site in ("www.example.org", *sites))
    return f'workers = {workers}\npublic = "{public}"\nanalyst = "127.0.0.1:0"\n{named}'


class Sender(threading.Thread):
    """Sends hits until told to stop, on one connection or on a fresh one each.

    It tries once more where a connection that served before was closed and does not answer, as browsers and proxies do.
    """

    def __init__(self, address: str, *, fresh: bool, pause_s: float = 0.02) -> None:
        super().__init__()
        self._address = address
        self._fresh = fresh
        self._pause_s = pause_s
        self._connection: http.client.HTTPConnection | None = None
        self.told_to_stop = threading.Event()
        self.acknowledged = self.tried_again = 0
        self.longest_s = 0.0
        self.failures: list[str] = []
        self.start()

    def run(self) -> None:
        while not self.told_to_stop.wait(self._pause_s):
            began = time.monotonic()
            try:
                self._send()
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                self._close()
            self.longest_s = max(self.longest_s, time.monotonic() - began)
        self._close()

    def _send(self) -> None:
        if self._connection:
            try:
                self._ask(self._connection)
            except (ConnectionError, http.client.RemoteDisconnected):
                self.tried_again += 1
                self._close()
            else:
                return
        host, _, port = self._address.rpartition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=20)
        self._ask(self._connection)

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        connection.request("POST", "/v1/events", orjson.dumps(HIT), {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        if response.status in GOOD:
            self.acknowledged += 1
        else:
            self.failures.append(str(response.status))
        if self._fresh or response.will_close:
            self._close()

    def _close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None


def counted(stack: Stack, measure: str, site: str = "www.example.org") -> list[int]:
    """What was counted of a site, by the day: one number, or two around midnight."""
    today = datetime.now(UTC).date()
    answer = stack.ask("traffic", property=site, from_=str(today - timedelta(1)), to=str(today), interval="day")
    place = answer["columns"].index(measure)
    return [row[place] for row in answer["rows"]]


def test_reloads_under_load_fail_no_request_lose_nothing_and_count_nobody_twice(
    start_stack: Callable[..., Stack],
) -> None:
    stack = start_stack(config=configuration(2), workers=None)
    epoch = stack.metrics()["collector_epoch"]
    senders = [Sender(stack.public, fresh=False) for _ in range(4)]
    senders += [Sender(stack.public, fresh=True) for _ in range(2)]
    senders += [Sender(stack.public, fresh=False, pause_s=0.4)]  # mostly idle: its connection is closed in between
    try:
        stack.reload()
        assert len(stack.children("worker")) == 2
        stack.configure(configuration(1))
        stack.reload()
        eventually(lambda: len(stack.children("worker")) == 1, "one worker is left")
    finally:
        for sender in senders:
            sender.told_to_stop.set()
        for sender in senders:
            sender.join()
    assert [failure for sender in senders for failure in sender.failures] == []
    assert max(sender.longest_s for sender in senders) < 5
    acknowledged = sum(sender.acknowledged for sender in senders)
    assert acknowledged > 100
    eventually(lambda: sum(counted(stack, "events")) >= acknowledged, "everything is loaded")
    assert sum(counted(stack, "events")) == acknowledged
    assert set(counted(stack, "visitors")) == {1}
    assert stack.metrics()["collector_epoch"] == epoch
    assert stack.counted("events_accepted") == acknowledged
    began = time.monotonic()
    stack.stop()
    assert time.monotonic() - began < 10


@pytest.fixture(scope="module")
def reloaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One worker and one site when it started; three and two since its reload."""
    stack = Stack(tmp_path_factory.mktemp("reloaded"), config=configuration(1), workers=None)
    assert stack.post(HIT).status in GOOD
    assert stack.post(OTHER).json["rejected"][0]["code"] == "unknown_property"
    stack.configure(configuration(3, "new.example.org"))
    stack.reload()
    yield stack
    stack.sweep()


def test_a_reload_takes_up_the_changed_configuration(reloaded: Stack) -> None:
    assert reloaded.post(OTHER).status in GOOD
    assert len(reloaded.children("worker")) == 3
    eventually(lambda: counted(reloaded, "events", "new.example.org") == [1], "the new site's hit is counted")


def test_a_reload_says_no_more_than_it_did(reloaded: Stack) -> None:
    assert "unknown environment variable" not in reloaded.log_text
    assert "process ended" not in reloaded.log_text


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (configuration(3, "new.example.org") + "[[site]\n", "must be TOML"),
        (configuration(0, "new.example.org"), "workers: 0 is less than the minimum of 1"),
        (configuration(0, "new.example.org") + "keys = 1\n", "less than the minimum of 1; "),
        (configuration(3, "new.example.org", public="127.0.0.1:1"), "public: a change of it needs a restart"),
    ],
)
def test_what_cannot_be_reloaded_changes_nothing_and_is_said_in_a_line(
    reloaded: Stack, broken: str, reason: str
) -> None:
    children, refusals = reloaded.children(), reloaded.said("reload refused")
    reloaded.configure(broken)
    reloaded.hang_up()
    eventually(lambda: reloaded.said("reload refused") > refusals, "the refusal is logged")
    (line,) = reloaded.log_text.splitlines()[-1:]
    assert reason in line
    assert reloaded.children() == children
    assert reloaded.post(OTHER).status in GOOD


def test_a_worker_told_to_end_answers_what_is_under_way_and_what_was_just_let_in(reloaded: Stack) -> None:
    events = orjson.dumps(HIT)
    request = wire.request(events, {"Content-Type": "application/json"})
    for pid in reloaded.children("worker")[1:]:
        os.kill(pid, signal.SIGSTOP)  # so that there is one worker only to talk to
    try:
        with wire.connect(reloaded.public) as used, wire.connect(reloaded.public) as slow:
            used.sendall(request)
            assert wire.hear(used).status in GOOD
            slow.sendall(request[:-10])
            with wire.connect(reloaded.public) as fresh:
                assert not _is_closed_after(used, request)  # and by now the fresh connection is let in, too
                reloaded.kill("worker", signal.SIGTERM)
                eventually(lambda: _is_closed_after(used, request), "it closes connections")
                for late, rest in ((fresh, request), (slow, request[-10:])):
                    late.sendall(rest)
                    said = wire.hear(late, wait=True)
                    assert said.status in GOOD
                    assert b"Connection: close" in said.head
    finally:
        for pid in reloaded.children("worker"):
            os.kill(pid, signal.SIGCONT)


def test_after_a_reload_children_still_end_soon_after_their_supervisor(reloaded: Stack) -> None:
    reloaded.configure(configuration(1))
    children = reloaded.kill_supervisor()
    assert len(children) >= 3
    eventually(lambda: not any(map(is_alive, children)), "the children ended", 5.0)  # of which they take one
    reloaded.start()
    assert reloaded.post(HIT).status in GOOD


def test_while_no_new_worker_can_run_the_old_one_stays_and_no_signal_ends_anything(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    geo = tmp_path / "geo.mmdb"
    geo.write_bytes(database({ip_network("192.0.2.0/24"): {"country_code": "DE"}}))
    stack = start_stack(config=f'geoip_db = "{geo}"\n{configuration(1)}', workers=None)
    (old,) = stack.children("worker")
    os.killpg(stack.process.pid, signal.SIGHUP)
    eventually(lambda: stack.said("took over") == 1, "the next image took over")
    geo.rename(tmp_path / "away.mmdb")
    stack.hang_up()  # heard once it is clear that this reload does not come to its end
    eventually(lambda: stack.said("the old one stays") > 0, "the new worker is not ready")
    eventually(lambda: stack.said("reload refused") == 1, "the second reload is refused")
    assert is_alive(old)
    assert stack.post(HIT).status in GOOD
    (tmp_path / "away.mmdb").rename(geo)
    eventually(lambda: stack.said("event=reloaded") == 1, "the first reload is complete")
    assert not is_alive(old)
    assert 'status="signal 1"' not in stack.log_text


def test_a_version_that_lays_the_memory_out_in_another_way_does_not_take_over(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    code = copied_code(tmp_path / "copy")
    stack = start_stack(code=code)
    children = stack.children()
    edit(code / "collector" / "count" / "filter.py", 'FORM = "COLMEM', 'FORM = "OTHERM')
    stack.hang_up()
    eventually(lambda: stack.said("cannot take over from the one that runs") == 1, "the reload is refused")
    assert stack.children() == children
    assert stack.post(HIT).status in GOOD


def test_a_version_of_which_a_part_cannot_be_imported_takes_nothing_over_and_does_not_start(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    code = copied_code(tmp_path / "copy")
    stack = start_stack(code=code)
    children = stack.children()
    edit(code / "collector" / "assembly.py", "import asyncio\n", "import asyncio\nimport not_there\n")
    stack.hang_up()
    eventually(lambda: stack.said("reload refused") == 1, "the reload is refused")
    assert stack.said("No module named 'not_there'") == 1
    assert stack.children() == children
    assert stack.post(HIT).status in GOOD
    stack.stop()
    command = [sys.executable, "-m", "collector", "serve", "--data", str(stack.data), "--public", "127.0.0.1:0"]
    started = subprocess.run(
        [*command, "--analyst", "127.0.0.1:0"], cwd=code, capture_output=True, text=True, check=False, timeout=30
    )
    assert started.returncode == 1
    assert "No module named 'not_there'" in started.stderr


def test_a_child_that_dies_and_an_order_to_stop_during_a_reload_are_heard(stack: Stack) -> None:
    old = stack.children("worker")[0]
    stack.hang_up()
    eventually(lambda: stack.said("took over") == 1, "the next image took over")
    os.kill(old, signal.SIGKILL)
    assert stack.post(HIT).status in GOOD
    eventually(lambda: stack.said("event=reloaded") == 1, "the reload is complete")
    stack.hang_up()
    eventually(lambda: stack.said("event=reloading") == 2, "the process becomes its next image")
    stack.stop()


def _is_closed_after(connection: socket.socket, request: bytes) -> bool:
    try:
        connection.sendall(request)
    except ConnectionError:
        return True
    said = wire.hear(connection)
    return said.closed or b"Connection: close" in said.head

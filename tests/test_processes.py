"""`collector serve` stays up: whatever process is killed, its port waits, and nothing is left behind."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from collector.data_folder import hold
from collector.errors import Misconfigured
from collector.tools.start_lines import warning_of_analyst
from tests.calling import Reply
from tests.requires import needs
from tests.stack import ROOT, TOKEN, Stack, eventually, is_alive

HIT = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One for all tests that leave it running."""
    yield (stack := Stack(tmp_path_factory.mktemp("running")))
    stack.sweep()


def test_it_says_where_everything_is_and_how_to_begin(running: Stack) -> None:
    for told in (
        running.public,
        running.analyst,
        str(running.data),
        "built-in example",
        "operator.token",
        "curl -A",
    ):
        assert told in running.log_text
    assert TOKEN not in running.log_text


def test_what_it_says_to_try_works_as_it_stands(start_stack: Callable[..., Stack]) -> None:
    needs("curl")
    stack = start_stack()
    send, ask = re.findall(r"^  (\S.*)$", stack.log_text, re.MULTILINE)
    subprocess.run(["sh", "-c", f"{send} --silent --fail"], check=True, timeout=20)
    stack.wait_loaded(1)
    told = subprocess.run(["sh", "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20)
    assert ["1", "1", "1"] in [line.split() for line in told.stdout.splitlines()]


def test_healthy_means_that_events_are_accepted_and_analysts_are_heard(running: Stack) -> None:
    assert running.request("GET", "/healthz").status == 200
    assert running.post(HIT).status in (200, 204)
    assert running.analyst_request("/metrics").status == 200


def test_a_killed_worker_is_replaced_and_its_port_keeps_answering(running: Stack) -> None:
    for _ in range(3):
        old = running.kill("worker")
        assert running.post(HIT).status in (200, 204)
        assert old not in running.children("worker")
    assert len(running.children("worker")) == 1


def test_every_worker_place_is_filled_again(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack(workers=3)
    eventually(lambda: len(stack.children("worker")) == 3, "three workers")
    for pid in stack.children("worker"):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(stack.children("worker")) == 3, "three workers again")
    assert stack.post(HIT).status in (200, 204)
    stack.stop()


def test_the_analyst_port_waits_while_the_warehouse_restarts(running: Stack) -> None:
    running.kill("warehouse")
    began = time.monotonic()
    assert running.analyst_request("/metrics").status == 200
    assert time.monotonic() - began < 15


def test_events_are_accepted_while_the_warehouse_is_away(running: Stack) -> None:
    warehouse = running.children("warehouse")[0]
    os.kill(warehouse, signal.SIGSTOP)
    try:
        assert running.post(HIT).status in (200, 204)
    finally:
        os.kill(warehouse, signal.SIGCONT)


def test_children_end_soon_after_their_supervisor(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack(workers=2)
    children = stack.kill_supervisor()
    assert len(children) == 3
    eventually(lambda: not any(map(is_alive, children)), "the children ended", 5.0)  # of which they take one


def test_what_was_accepted_is_there_after_the_supervisor_was_killed(stack: Stack) -> None:
    for _ in range(20):
        assert stack.post(HIT).status in (200, 204)
    stack.kill_supervisor()
    stack.start()
    eventually(lambda: _hits(stack) == 20, "20 hits")
    stack.stop()


@pytest.mark.slow
def test_a_second_serve_on_the_same_data_says_who_holds_it(running: Stack) -> None:
    began = time.monotonic()
    second = _serve("--data", str(running.data), "--public", "[::1]:0", "--analyst", "[::1]:0")
    assert second.returncode == 1
    assert f"process {running.process.pid}, started 20" in second.stderr
    assert str(running.data) in second.stderr
    assert 9 < time.monotonic() - began < 20


def test_held_data_names_its_holder_and_is_free_after_it(tmp_path: Path) -> None:
    folder = hold(tmp_path / "new" / "data")
    with pytest.raises(Misconfigured, match=f"process {os.getpid()}, started 20"):
        hold(tmp_path / "new" / "data", patience_s=0)
    folder.release()
    hold(tmp_path / "new" / "data", patience_s=0).release()


def test_a_damaged_node_file_stops_the_start_instead_of_beginning_anew(tmp_path: Path) -> None:
    (tmp_path / "node").write_text('{"node": "00')
    told = _serve("--data", str(tmp_path), "--public", "127.0.0.1:0", "--analyst", "127.0.0.1:0")
    assert told.returncode == 1
    assert "node is damaged" in told.stderr


def test_a_start_waits_for_the_one_before_to_end(stack: Stack) -> None:
    next_one = stack.launch()
    stack.process.terminate()
    assert stack.process.wait(10) == 0
    stack.process = next_one
    eventually(lambda: _is_healthy(stack), "the next one is healthy")
    stack.stop()


def test_a_taken_port_is_named(running: Stack, tmp_path: Path) -> None:
    second = _serve("--data", str(tmp_path / "other"), "--public", running.public, "--analyst", "127.0.0.1:0")
    assert second.returncode == 1
    assert f"--public {running.public} cannot be used: Address already in use" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_group_ends_everything_in_time(stack: Stack, number: signal.Signals) -> None:
    stack.post(HIT)
    children = stack.children()
    os.killpg(stack.process.pid, number)
    assert stack.process.wait(10) == 0
    assert not any(map(is_alive, children))
    assert "Traceback" not in stack.log_text


def test_all_processes_stay_in_the_group_of_serve(running: Stack) -> None:
    assert {os.getpgid(pid) for pid in running.children()} == {running.process.pid}


def test_data_is_private_and_reached_by_nobody_else(running: Stack) -> None:
    running.post(HIT)
    running.wait_loaded(1)
    assert stat.S_IMODE(running.data.stat().st_mode) == 0o700
    assert stat.S_IMODE(running.data.parent.stat().st_mode) == 0o700
    for path in running.data.rglob("*"):
        try:
            mode = stat.S_IMODE(path.stat(follow_symlinks=False).st_mode)
        except FileNotFoundError:
            continue
        if not path.is_symlink():
            assert not mode & 0o077, path


def test_a_start_never_uses_an_epoch_twice(stack: Stack) -> None:
    first = orjson.loads((stack.data / "node").read_bytes())
    stack.restart()
    second = orjson.loads((stack.data / "node").read_bytes())
    assert second["node"] == first["node"]
    stack.kill_supervisor()
    stack.start()
    assert first["epoch"] < second["epoch"] < orjson.loads((stack.data / "node").read_bytes())["epoch"]
    stack.stop()


def test_what_an_earlier_start_left_behind_is_wiped(stack: Stack) -> None:
    stack.stop()
    for name in ("tmp", "metrics"):
        (stack.data / name / "left").write_text("behind")
    stack.start()
    assert not (stack.data / "tmp" / "left").exists()
    assert not (stack.data / "metrics" / "left").exists()
    stack.stop()


def test_no_secret_is_in_arguments_or_environment_of_a_child(running: Stack) -> None:
    for pid in running.children():
        for place in ("cmdline", "environ"):
            assert TOKEN.encode() not in Path(f"/proc/{pid}/{place}").read_bytes()


def test_connections_wait_out_the_death_of_their_worker(running: Stack) -> None:
    replies: list[Reply] = []

    def send() -> None:
        replies.append(running.post(HIT))

    os.kill(running.children("worker")[0], signal.SIGSTOP)
    senders = [threading.Thread(target=send) for _ in range(10)]
    for sender in senders:
        sender.start()
    running.kill("worker")
    for sender in senders:
        sender.join(20)
    assert [reply.status for reply in replies] == [replies[0].status] * 10
    assert replies[0].status in (200, 204)


def test_a_wrong_setting_stops_the_start_with_one_sentence(tmp_path: Path) -> None:
    told = _serve("--data", str(tmp_path), "--workers", "0")
    assert told.returncode == 1
    assert told.stderr == 'Error: --workers: must be a whole number from 1 to 64, not "0"\n'


def test_what_only_a_child_finds_wrong_stops_the_start_too(tmp_path: Path) -> None:
    (tmp_path / "operator.token").write_text("too short")
    told = _serve("--data", str(tmp_path), "--public", "127.0.0.1:0", "--analyst", "127.0.0.1:0")
    assert told.returncode == 1
    assert "operator.token is damaged" in told.stderr
    assert "event=stopped" not in told.stderr
    assert "Traceback" not in told.stderr


def test_a_bad_country_database_is_one_error_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "geo.mmdb").write_bytes(b"no database")
    told = _serve("--data", str(tmp_path / "data"), "--geoip-db", str(tmp_path / "geo.mmdb"))
    assert told.returncode == 1
    assert told.stderr.startswith("Error: ")
    assert "geo.mmdb" in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()


def test_the_start_warns_of_what_an_operator_may_not_mean(start_stack: Callable[..., Stack], stack: Stack) -> None:
    assert "Warning" not in stack.log_text
    assert "refuses every event" in start_stack(config="workers = 1\n").log_text


@pytest.mark.parametrize(
    ("host", "warnings"), [("127.0.0.1", 0), ("::1", 0), ("localhost", 0), ("0.0.0.0", 1), ("::", 1), ("a.example", 1)]
)
def test_an_analyst_port_that_others_reach_is_warned_about(host: str, warnings: int) -> None:
    assert len(warning_of_analyst(host, f"{host}:8081")) == warnings


def test_the_end_is_logged_once_nothing_runs_any_more(stack: Stack) -> None:
    children = stack.children()
    stack.stop()
    assert len(children) == 2
    assert "stopped" in stack.log_text.splitlines()[-1]


def test_unknown_variables_are_warned_about(start_stack: Callable[..., Stack]) -> None:
    stack = start_stack(environ={"COLLECTOR_WORKRES": "3", "COLLECTOR_SKIP_UI": "1"})
    assert "COLLECTOR_WORKRES" in stack.log_text
    assert "COLLECTOR_SKIP_UI" not in stack.log_text


def _serve(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "collector", "serve", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def _hits(stack: Stack) -> int:
    today = datetime.now(UTC).date()
    answer = stack.ask("traffic", property="www.example.org", from_=str(today - timedelta(1)), to=str(today))
    return int(answer["totals"]["events"])


def _is_healthy(stack: Stack) -> bool:
    try:
        return stack.request("GET", "/healthz").status == 200
    except OSError:
        return False

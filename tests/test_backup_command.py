"""`collector backup` and `collector restore` as they are typed: running or not, into an empty collector."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import orjson
import pytest

from tests.backing_up import chunks_in, hundred
from tests.clickhouse_http import ClickHouseHttp
from tests.engine_choice import engine_environ
from tests.sealing import DAY_S, date_of
from tests.setting_aside import CONFIG
from tests.stack import ROOT, TOKEN, Stack, eventually
from tests.test_seal_command import left_behind

SITE = "www.example.org"


def typed(*words: str | Path, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "collector", *map(str, words)]
    where = {"PATH": "/usr/bin:/bin", **(environ or {})}
    return subprocess.run(command, cwd=ROOT, env=where, capture_output=True, text=True, timeout=240, check=False)


def test_what_a_running_collector_sealed_is_answered_alike_by_an_empty_one(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    today = int(time.time()) // DAY_S
    left_behind(Stack.data_in(tmp_path / "stack0"), *range(today - 9, today - 5))
    stack = start_stack(config=CONFIG)
    eventually(lambda: stack.said("a day is sealed") == 4, "four days are sealed")
    asked = {"property": SITE, "from_": date_of(today - 12), "to": date_of(today - 6), "by": "path", "interval": "day"}
    told = stack.ask("pages", **asked)
    assert [row[1:3] for row in told["rows"]] == [["/", 12]] * 4

    file = tmp_path / "it.backup"
    done = stack.command("backup", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert file.stat().st_mode & 0o777 == 0o600
    assert "rows. Keep it elsewhere." in done.stdout
    for token, status in ((None, 401), (TOKEN, 403)):
        assert stack.analyst_request("/api/v1/backup", token).status == status
    refused = stack.command("restore", str(file))
    assert (refused.returncode, "is in use" in refused.stderr) == (1, True)
    stack.stop()
    before = file.read_bytes()
    assert stack.command("backup", str(file)).returncode == 0, "of the data of a collector that does not run"
    assert chunks_in(file.read_bytes()) == chunks_in(before)

    other = tmp_path / "stack1"
    done = typed("restore", file, "--data", Stack.data_in(other), environ=dict(engine_environ(Stack.data_in(other))))
    assert (done.returncode, done.stderr) == (0, "")
    (Stack.data_in(other) / "restoring").write_bytes(b'{"backup":"0123"}')  # as if the restore had been killed
    restored = start_stack(config=CONFIG)
    eventually(lambda: restored.said("a restore did not end") == 1, "it says that a restore did not end")
    assert restored.ask("pages", **asked) == told
    refused = restored.command("backup", str(file))
    assert (refused.returncode, "a restore did not end there" in refused.stderr) == (1, True)
    assert not list(tmp_path.glob(".it.backup*")), "nothing is left beside the file"
    restored.stop()
    refused = restored.command("backup", str(file))
    assert (refused.returncode, "a restore did not end here" in refused.stderr) == (1, True)
    assert chunks_in(file.read_bytes()) == chunks_in(before)
    assert not list(tmp_path.glob(".it.backup*")), "nothing is left beside the file"


@contextmanager
def breaking_off(body: bytes) -> Iterator[str]:
    """Somebody who begins to send a backup, and goes away."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            caller, _ = listener.accept()
            with caller:
                caller.recv(65536)
                caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body)

        thread = threading.Thread(target=answer)
        thread.start()
        yield ":".join(map(str, listener.getsockname()))
        thread.join()


def test_a_backup_in_which_nothing_is_says_so(shared_stack: Stack, tmp_path: Path) -> None:
    done = shared_stack.command("backup", str(tmp_path / "it.backup"))
    assert (done.returncode, " 0 rows. " in done.stdout) == (0, True)
    assert done.stderr == "No day is sealed yet, so nothing is in it: a day is, 48 hours after its end.\n"


def test_a_backup_that_breaks_off_leaves_the_file_before_it(tmp_path: Path) -> None:
    file = tmp_path / "it.backup"
    file.write_bytes(b"yesterday's")
    (tmp_path / "operator.token").write_text("x" * 43)
    with breaking_off(b"COLBACK1" + bytes(20)) as address:
        done = typed("backup", file, "--data", tmp_path, "--analyst", address)
    assert done.returncode == 1
    assert "as it was" in done.stderr
    assert "Traceback" not in done.stderr
    assert file.read_bytes() == b"yesterday's"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["it.backup", "operator.token"]


def test_what_a_killed_backup_left_goes_with_the_next_one_but_not_what_another_is_writing(tmp_path: Path) -> None:
    file = tmp_path / "it.backup"
    others = [".it.backup.old", ".other.backup.7"]
    for name in ("operator.token", *others):
        (tmp_path / name).write_text("x" * 43)

    def left_after_another() -> list[str]:
        with breaking_off(b"COLBACK1" + bytes(20)) as address:
            assert "as it was" in typed("backup", file, "--data", tmp_path, "--analyst", address).stderr
        return sorted(path.name for path in tmp_path.glob(".*"))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = ":".join(map(str, listener.getsockname()))
        command = [
            sys.executable,
            "-m",
            "collector",
            "backup",
            str(file),
            "--data",
            str(tmp_path),
            "--analyst",
            address,
        ]
        with subprocess.Popen(command, cwd=ROOT) as process, listener.accept()[0] as caller:
            caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            its = f".it.backup.{process.pid}"
            eventually((tmp_path / its).exists, "it writes")
            assert left_after_another() == sorted([its, *others])
            process.kill()
    assert (tmp_path / its).exists()
    assert left_after_another() == others


# --- as much as can be ------------------------------------------------------------------------------------------------


def answers(stack: Stack, days: range) -> list[bytes]:
    """What is said to a hundred questions about these days."""
    told = []
    for each in hundred(5, days):
        reply = stack.analyst_request(f"/api/v1/reports/{each.report.name}?{urlencode(each.pairs)}")
        assert reply.status == 200, reply
        told.append(reply.body)
    return told


@pytest.mark.slow
def test_forty_made_up_days_are_answered_alike_from_inside_and_from_a_server(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    config = (ROOT / "collector" / "example.toml").read_text("utf-8")
    (tmp_path / "made.toml").write_text(config)
    today = int(time.time()) // DAY_S
    days = range(today - 40, today - 3)
    data = Stack.data_in(tmp_path / "stack0")
    options = ("--days", "40", "--visitors", "150", "--last", date_of(today - 1))
    done = typed("simulate", "--data", data, "--config", tmp_path / "made.toml", *options)
    assert done.returncode == 0, done.stderr
    stack = start_stack(config=config)
    eventually(lambda: stack.said("a day is sealed") >= 1, "the last of them is sealed")
    told = answers(stack, days)
    assert sum(len(orjson.loads(each).get("rows", ())) > 1 for each in told) > 20
    file = tmp_path / "it.backup"
    assert stack.command("backup", str(file)).returncode == 0
    stack.stop()

    inside = Stack.data_in(tmp_path / "stack1")
    assert typed("restore", file, "--data", inside).returncode == 0
    restored = start_stack(config=config)
    assert answers(restored, days) == told
    restored.post({"kind": "page_hit", "site": SITE, "url": f"https://{SITE}/"})
    restored.wait_loaded(1)
    assert answers(restored, days) == told

    harness = ClickHouseHttp(tmp_path / "clickhouse")
    try:
        environ = {"COLLECTOR_CLICKHOUSE": harness.url()}
        done = typed("restore", file, "--data", Stack.data_in(tmp_path / "stack2"), environ=environ)
        assert done.returncode == 0, done.stderr
        at_server = start_stack(config=config, environ=environ)
        assert answers(at_server, days) == told
        again = tmp_path / "again.backup"
        assert at_server.command("backup", str(again)).returncode == 0
        assert again.stat().st_size == file.stat().st_size
        at_server.stop()
    finally:
        harness.stop()

"""Whatever is typed, and wherever its output goes: a sentence and an exit status, never a stack of frames."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.stack import ROOT

NOT_TEXT = os.fsdecode(b"\xff\xfe\x01")
PATIENCE_S = 240
SITE = ("--property", "www.example.org")
# Where `{}` stands, something goes that does not belong there.
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("check", "--config", "{}"),
    ("check", "--geoip-db", "{}"),
    ("check", "--clickhouse", "{}"),
    ("serve", "--config", "{}"),
    ("serve", "--public", "{}"),
    ("query", "{}", *SITE),
    ("query", "traffic", "--property", "{}"),
    ("query", "pages", *SITE, "--filter", "{}"),
    ("query", "traffic", *SITE, "--data", "{}"),
    ("import-log", "{}"),
    ("routes", "--sitemap", "{}"),
    ("replay", "{}", "--to", "http://127.0.0.1:1"),
    ("replay", __file__, "--to", "{}"),
    ("user", "add", "{}", "--role", "admin"),
    ("user", "add", "jane", "--role", "viewer", "--property", "{}"),
    ("user", "remove", "{}"),
    ("token", "create", "a", "--data", "{}"),
    ("token", "revoke", "{}"),
    ("quarantine", "retry", "{}"),
    ("quarantine", "list", "--data", "{}"),
    ("seal", "--data", "{}"),
    ("simulate", "--to", "{}"),
    ("simulate", "--data", "{}", "--days", "1"),
)


def ran(folder: Path, *arguments: str, out: int | None = None) -> subprocess.CompletedProcess[bytes]:
    """A command line of the collector, with data in that folder."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("COLLECTOR_")}
    return subprocess.run(
        [sys.executable, "-m", "collector", *arguments],
        cwd=folder,  # what is no path may be the name of a folder to be made
        env=environ | {"COLLECTOR_DATA": str(folder / "data"), "PYTHONPATH": str(ROOT)},
        input=b"\xff\n\xff\n",
        stdout=subprocess.PIPE if out is None else out,
        stderr=subprocess.PIPE,
        timeout=PATIENCE_S,
        check=False,
    )


def assert_plain(done: subprocess.CompletedProcess[bytes], statuses: Sequence[int]) -> None:
    """Whether it ended with one of these, and said why in words of ours."""
    assert done.returncode in statuses, (done.args, done.returncode, done.stderr)
    for word in (b"Traceback", b"unhandled", b"Exception ignored"):
        assert word not in done.stderr, (done.args, done.stderr)
    assert not done.returncode or done.stderr.strip(), done.args


def test_a_full_disk_for_output_is_said_and_is_no_success(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        for command in ("reports", "dictionary"):
            done = ran(tmp_path, command, out=full.fileno())
            assert_plain(done, (1,))
            assert b"No space left" in done.stderr


def test_without_an_output_to_write_to_a_command_still_does_what_it_should(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "{sys.executable}" -m collector token create grafana --data "{tmp_path}" <&- >&- 2>&-'],
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if b"grafana" in path.read_bytes() and path.name != "tokens.json"]


@pytest.fixture
def _ctrl_c() -> Iterator[None]:
    """Has Ctrl-C heard: what is started in the background ignores it, and so does all that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c")
@pytest.mark.parametrize("loaded", ["click", "aiohttp"])  # of the list of commands; of a command
def test_ctrl_c_while_it_still_loads_ends_it_without_a_word(loaded: str) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "collector", "dictionary"]
    with subprocess.Popen(command, cwd=ROOT, bufsize=0, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stderr is not None
        if sys.platform == "linux":  # it cannot be done before it is told: what it says finds no room
            fcntl.fcntl(process.stderr, fcntl.F_SETPIPE_SZ, 4_096)
        said = b""
        while f" {loaded}\n".encode() not in said:  # others come now
            said += process.stderr.readline()
        process.send_signal(signal.SIGINT)
        said += process.stderr.read()
    assert process.returncode == -signal.SIGINT
    assert [line for line in said.splitlines() if not line.startswith(b"import time:")] == []


def test_a_data_directory_whose_name_is_no_text_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for command in (("serve", "--public", "127.0.0.1:0"), ("check",)):
        done = ran(tmp_path, *command, "--config" if command[0] == "check" else "--data", str(tmp_path / NOT_TEXT))
        assert_plain(done, (1,))


@pytest.mark.slow
def test_no_command_shows_frames_whatever_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(os.urandom(400))
    (tmp_path / "empty").touch()
    values = (
        NOT_TEXT,
        str(tmp_path / "missing" / "x"),
        str(tmp_path / "bytes"),
        str(tmp_path / "empty"),
        "",
    )
    lines = [
        tuple(value if word == "{}" else word for word in command)
        for command in COMMANDS
        for value in (*values, "/proc")
    ]
    with ThreadPoolExecutor(2) as some:
        for done in some.map(lambda line: ran(tmp_path, *line), lines):
            assert_plain(done, (0, 1, 2, 78))  # an empty file is a configuration, if a poor one

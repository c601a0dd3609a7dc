"""What the bench promises: it measures the whole process tree, and says nothing of a run that went wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from collector.tools.bench.command import main
from collector.tools.bench.contender import tree_cpu_s
from collector.tools.bench.figures import BATCH_GOAL, Figure, bars, history, remember, table
from collector.tools.bench.machine import fdatasync_ms, file_system
from tests.requires import needs

_BURN = "import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end: pass\n"
_FAMILY = """
import subprocess, sys
subprocess.run([sys.executable, "-c", {burn!r}])
living = subprocess.Popen([sys.executable, "-c", {burn!r} + "print(flush=True); input()"], stdin=sys.stdin)
living.wait()
"""


def test_the_cpu_of_a_tree_has_that_of_living_and_of_ended_descendants() -> None:
    program = _FAMILY.format(burn=_BURN.format(seconds=0.3))
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as root:
        assert root.stdout
        assert root.stdin
        root.stdout.readline()
        assert 0.55 <= tree_cpu_s(root.pid) <= 2.0
        root.stdin.write("\n")


def test_the_disk_is_asked_where_the_data_would_lie(tmp_path: Path) -> None:
    assert fdatasync_ms(tmp_path) > 0
    assert list(tmp_path.iterdir()) == []
    assert file_system(tmp_path) == file_system(tmp_path / "not" / "there")
    assert file_system(Path("/proc/self")) == "proc"


def test_without_wrk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    said = CliRunner().invoke(main, [])
    assert said.exit_code == 1
    assert "apt install wrk" in said.output


def test_a_table_says_which_goals_are_met_and_how_it_went_before(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    assert history(file) == []
    for value in (1.0, 2.0, 4.0):
        remember(file, [Figure(name="speed", unit="of bare", values=[value])], at="then")
    before = history(file)
    assert [each["figures"] for each in before] == [{"speed": 1.0}, {"speed": 2.0}, {"speed": 4.0}]
    good = Figure(name="speed", unit="of bare", values=[3.0, 4.0, 9.0], goal=BATCH_GOAL)
    bad = Figure(name="slowness", unit="of bare", values=[3.99], goal=BATCH_GOAL)
    _, first, second = table([good, bad], before).splitlines()
    assert first.split() == ["speed", "4.00", "3.00", "to", "9.00", "of", "bare", ">=", "4", "met", "▃▅█"]
    assert second.split()[-3:] == [">=", "4", "MISSED"]


def test_bars_are_bounded_and_never_fail() -> None:
    assert bars([]) == ""
    assert bars([0.0, 0.0]) == "  "
    assert len(bars([float(n) for n in range(100)])) == 12


def _measured(tmp_path: Path, *more: str) -> dict[str, Any]:
    file = tmp_path / "bench.json"
    command = (sys.executable, "-m", "collector.tools.bench", "--rounds", "1", "--seconds", "1", "--json", str(file))
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VOID" not in done.stdout
    measured: dict[str, Any] = orjson.loads(file.read_bytes())
    for run in measured["runs"]:
        assert run["load"]["requests"] > 30
        assert run["load"]["bad_answers"] == run["load"]["broken"] == 0
        assert run["cpu_us"] > 0.1
    return measured


@pytest.mark.slow
def test_the_collector_is_measured_against_the_bare_application_and_by_itself(tmp_path: Path) -> None:
    needs("wrk")
    file = tmp_path / "history.jsonl"
    measured = _measured(tmp_path, "--hits", "100000", "--history", str(file))
    assert [run["name"] for run in measured["runs"]] == [*["bare"] * 3, *["collector"] * 3, *["two workers"] * 3]
    assert 0 < measured["figures"]["requests/s"]["median"] < 2
    for name in (
        "memory, worker",
        "loading a backlog",
        "sealing",
        "bytes a million events, sealed",
        "questions, median",
    ):
        assert measured["figures"][name]["median"] != 0, name
    assert len(history(file)) == 1


@pytest.mark.slow
def test_the_collector_is_measured_against_another_commit(tmp_path: Path) -> None:
    needs("wrk", "git")
    here = Path(__file__).parents[1]
    if not (here / ".git").exists():
        pytest.skip("needs a git checkout")
    measured = _measured(tmp_path, "--against", "HEAD")
    assert [run["name"] for run in measured["runs"]][-3:] == ["collector"] * 3
    assert all(figure["goal"] is None for figure in measured["figures"].values())
    listed = subprocess.run(["git", "worktree", "list"], cwd=here, capture_output=True, text=True, check=True).stdout
    assert "collector-then-" not in listed

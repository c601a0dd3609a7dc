"""What the bench promises: it measures the whole process tree, and says nothing of a run that went wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from collector.tools.bench import main
from collector.tools.contender import tree_cpu_s
from collector.tools.machine import fdatasync_ms, file_system
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


def _measured(tmp_path: Path, *more: str) -> dict[str, Any]:
    file = tmp_path / "bench.json"
    command = (sys.executable, "-m", "collector.tools.bench", "--pairs", "1", "--seconds", "1", "--json", str(file))
    done = subprocess.run([*command, *more], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VOID" not in done.stdout
    measured: dict[str, Any] = orjson.loads(file.read_bytes())
    for run in measured["runs"]:
        assert run["load"]["requests"] > 100
        assert run["load"]["bad_answers"] == run["load"]["broken"] == 0
        assert run["cpu_us"] > 1
    return measured


@pytest.mark.slow
def test_the_collector_is_measured_against_the_bare_application(tmp_path: Path) -> None:
    needs("wrk")
    measured = _measured(tmp_path)
    assert [run["name"] for run in measured["runs"]] == ["bare", "collector"]
    assert 0 < measured["figures"]["requests/s"]["ratios"][0] < 2
    assert len(measured["goals"]) == 2


@pytest.mark.slow
def test_the_collector_is_measured_against_another_commit(tmp_path: Path) -> None:
    needs("wrk", "git")
    here = Path(__file__).parents[1]
    if not (here / ".git").exists():
        pytest.skip("needs a git checkout")
    measured = _measured(tmp_path, "--against", "HEAD")
    assert [run["name"] for run in measured["runs"]][1] == "now"
    assert measured["goals"] == []
    listed = subprocess.run(["git", "worktree", "list"], cwd=here, capture_output=True, text=True, check=True).stdout
    assert "collector-then-" not in listed

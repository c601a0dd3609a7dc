"""How the tests are dealt out to processes: nothing is made twice, nothing is left out, and a failure is told whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dealing import LONGEST, PACKAGES, hand_of
from tests.stack import ROOT

WHO_RAN_IT = """
import os, pathlib, pytest
@pytest.mark.parametrize("number", range(6))
def test_who_ran_it(number):
    with pathlib.Path("ran").open("a") as ran:
        ran.write(f"{__file__} {os.getpid()}\\n")
"""
HALF_A_CHARACTER = """
import logging
def test_fails():
    logging.getLogger().warning("half a character: \\udcff")
    raise ValueError("another half: \\udcfe")
"""
FILES = ("tests/browser/test_one.py", "tests/browser/test_two.py", *(f"tests/test_{name}.py" for name in "abcd"))
DEALT = ["-m", "pytest", "-q", "-p", "xdist", "-p", "tests.dealing", "-n", "2", "--import-mode=importlib", "tests"]


@pytest.fixture(scope="module")
def dealt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A run in two processes, and its folder."""
    folder = tmp_path_factory.mktemp("dealt")
    for name, content in {**dict.fromkeys(FILES, WHO_RAN_IT), "tests/test_fails.py": HALF_A_CHARACTER}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, "utf-8")
    told = subprocess.run(
        [sys.executable, *DEALT],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert told.returncode == 1, told.stdout + told.stderr
    return folder, told


def test_what_shares_fixtures_is_run_by_one_process_and_everything_once(
    dealt: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = dealt
    ran = [line.split() for line in (folder / "ran").read_text("utf-8").splitlines()]
    assert len(ran) == 6 * len(FILES)
    by = {(hand_of(Path(file).relative_to(folder).as_posix()), process) for file, process in ran}
    assert len(by) == len({hand for hand, _ in by}) == len(FILES) - 1
    assert len({process for _, process in by}) == 2


def test_a_failure_is_told_though_what_it_says_is_no_text(
    dealt: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    _, told = dealt
    assert "half a character: \\udcff" in told.stdout
    assert "FAILED tests/test_fails.py::test_fails - ValueError: another half: \\udcfe" in told.stdout
    assert f"1 failed, {6 * len(FILES)} passed" in told.stdout


@pytest.mark.parametrize("hand", [*LONGEST, *PACKAGES])
def test_what_is_dealt_first_or_whole_is_there(hand: str) -> None:
    assert (ROOT / hand).exists()

"""The systemd units, by systemd's own measures and by what the collector really asks of the kernel."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.proxying import DEPLOY
from tests.requires import needs
from tests.stack import ROOT, Stack

UNITS = sorted(path.name for path in (DEPLOY / "systemd").glob("collector*"))


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    needs("systemd-analyze")
    for name in UNITS:
        text = (DEPLOY / "systemd" / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace("/opt/collector/bin/collector", "/bin/true"), "utf-8")
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / name) for name in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_a_unit_is_hardened(name: str) -> None:
    """At most 1.5 of 10 by systemd's own measure; what is left is the network and the engine's compiled expressions."""
    needs("systemd-analyze")
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=15", DEPLOY / "systemd" / name],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout


def test_a_unit_keeps_memory_off_the_disk_and_reloads_in_place() -> None:
    text = (DEPLOY / "systemd" / "collector.service").read_text("utf-8")
    lines = set(text.splitlines())
    assert {"LimitCORE=0", "MemorySwapMax=0", "KillMode=mixed", "OOMPolicy=continue"} <= lines
    assert "ExecReload=/bin/kill -HUP $MAINPID" in lines


# --- what the collector asks of the kernel ----------------------------------------------------------------------------


def calls_of(group: str) -> set[str]:
    """Every system call of a group of systemd's, groups in it taken apart."""
    told = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True)
    names = [line.strip() for line in told.stdout.splitlines()[1:] if line.strip() and "#" not in line]
    return {call for name in names for call in (calls_of(name) if name.startswith("@") else {name})}


class Watched(Stack):
    """A Stack whose calls of some names are written down, of every process and thread from the first on."""

    def __init__(self, folder: Path, calls: str) -> None:
        self.calls = folder / "calls"
        self._traced = ["strace", "-f", "-qqq", "--seccomp-bpf", "-e", "signal=none", "-e", f"trace={calls}"]
        super().__init__(folder)

    def launch(self) -> subprocess.Popen[bytes]:
        """The collector, started by strace; the process that is ours to stop is its supervisor all the same (-D)."""
        command = [*self._traced, "-D", "-o", str(self.calls), sys.executable, "-m", "collector", "serve"]
        options = ["--data", str(self.data), "--public", self.public, "--analyst", self.analyst, "--workers", "1"]
        with self.log_file.open("ab") as log:
            return subprocess.Popen([*command, *options], cwd=ROOT, env=self._environ, stdout=log, stderr=log)


@pytest.mark.slow
@pytest.mark.parametrize("control", [False, True])
def test_the_collector_makes_no_system_call_that_its_unit_forbids(tmp_path: Path, *, control: bool) -> None:
    needs("strace", "systemd-analyze")
    text = (DEPLOY / "systemd" / "collector.service").read_text("utf-8")
    filters = re.findall(r"^SystemCallFilter=(~?)(\S+)$", text, re.MULTILINE)
    allowed: set[str] = set()
    for forbids, group in filters:
        allowed = allowed - calls_of(group) if forbids else allowed | calls_of(group)
    if control:
        allowed -= {"memfd_create"}
    stack = Watched(tmp_path, "!" + ",".join(f"?{call}" for call in sorted(allowed)))
    try:
        hit = {"kind": "page_hit", "site": "www.example.org", "url": "https://www.example.org/"}
        assert stack.post(hit).status == 204
        stack.wait_loaded(1)
        assert stack.ask("traffic", property="www.example.org")["totals"]["events"] == 1
        stack.reload()
        stack.stop()
    finally:
        stack.sweep()
    made = set(re.findall(r"^\d+ +(\w+)\(", stack.calls.read_text(), re.MULTILINE))
    assert made == ({"memfd_create"} if control else set())

"""The systemd units, by systemd's own measures and by what the collector really asks of the kernel."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.proxying import DEPLOY
from tests.requires import needs

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

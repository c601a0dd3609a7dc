"""Small files are the old or the new, whole, whatever happens: shown by the order of the calls."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from collector.disk import DISK


def test_bytes_are_synced_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    synced, renamed = os.fsync, Path.rename

    def fsync(fd: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        synced(fd)

    def rename(path: Path, target: Path) -> Path:
        done.append("rename")
        return renamed(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "fdatasync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    DISK.write_durably(tmp_path / "state", b"new")
    assert done == ["file", "rename", "folder"]
    assert (tmp_path / "state").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["state"]  # noqa: PTH208 - names are all that is asked

"""The data directory's name and epochs, also of a copy of it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from collector.data_folder import hold


def _begin(data: Path) -> tuple[str, int]:
    folder = hold(data)
    try:
        return folder.begin_epoch()
    finally:
        folder.release()


def test_copies_of_a_data_directory_begin_different_epochs(tmp_path: Path) -> None:
    node, last = _begin(tmp_path / "original")
    for copy in ("clone", "backup"):
        shutil.copytree(tmp_path / "original", tmp_path / copy)
    begun = [_begin(tmp_path / data) for data in ("original", "clone", "backup")]
    assert {name for name, _ in begun} == {node}
    assert len({epoch for _, epoch in begun}) == 3
    assert all(last < epoch < 2**53 for _, epoch in begun)


def test_a_new_data_directory_is_durably_there_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def seen(fd: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        fsync(fd)

    monkeypatch.setattr(os, "fsync", seen)
    hold(tmp_path / "new" / "data").release()
    assert synced == [str(tmp_path), str(tmp_path / "new")]

"""electron-updater itself, in Node: Windows, macOS and Linux find the newer version, fetch it, and are counted."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.catalogue.releases import Place
from tests.stack import Stack
from tests.updating import NEW, OLD, cells, configured, file_server, from_networks, hashes, product, release, told_of

PROGRAM = (Path(__file__).parent / "electron_updater.mjs").read_text("utf-8")
FLAGS = f"v={OLD}&first=dw&age=1"
STAGING_ID = str(uuid.uuid4())
CASES = {
    "NsisUpdater": ("windows", "x86_64", "win", f"player-{NEW}-setup.exe", "latest.yml"),
    "MacUpdater": ("macos", "aarch64", "mac", f"player-{NEW}.zip", "latest-mac.yml"),
    "AppImageUpdater": ("linux", "x86_64", "lin", f"player-{NEW}.AppImage", "latest-linux.yml"),
}
PLATFORMS = {"windows": "win32", "macos": "darwin", "linux": "linux"}  # by the names of Node.js
CONTENTS = {file: f"the newer {name}".encode() * 1000 for name, (*_, file, _) in CASES.items()}


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, list[str]]]:
    """A collector with one product per case; and what was fetched of their files."""
    folder = tmp_path_factory.mktemp("electron")
    with file_server(CONTENTS) as (files, fetched):
        products = releases = ""
        for os_name, arch, name, file, _ in CASES.values():
            products += product(name, {"app": f"{files}/{file}"})
            said = {"name": file, "url": f"{files}/{file}", **hashes(CONTENTS[file])}
            releases += release(Place(name, f"{os_name}-{arch}", "stable"), said, notes="Better: all of it\n")
        stack = Stack(folder, config=configured(folder, products, releases).read_text("utf-8"))
        yield stack, fetched
        stack.sweep()


def run(npm_packages: Path, **told: Any) -> dict[str, Any]:
    """What the updater found and fetched. A base address with a query takes the place of noCache."""
    environ = {**os.environ, "APPIMAGE": str(Path(told["folder"], "old.AppImage")), "TEST_UPDATER_ARCH": "x64"}
    command = ["node", "--input-type=module", "--eval", PROGRAM, json.dumps(told)]
    done = subprocess.run(
        command, cwd=npm_packages, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("updater", CASES)
def test_the_client_updates_and_is_counted_by_its_flags_alone(
    tmp_path: Path, npm_packages: Path, collector: tuple[Stack, list[str]], updater: str
) -> None:
    stack, fetched = collector
    os_name, arch, name, file, feed = CASES[updater]
    path = f"/update/{name}/{os_name}-{arch}/stable/electron"
    (tmp_path / ".updaterId").write_text(STAGING_ID)
    told = {"updater": updater, "platform": PLATFORMS[os_name], "version": OLD, "folder": str(tmp_path)}
    found = run(npm_packages, **told, base=f"http://{stack.public}{path}?{FLAGS}")
    assert (found["version"], found["isUpdateAvailable"]) == (NEW, True)
    assert Path(found["file"]).read_bytes() == CONTENTS[file]  # and electron-updater has compared its SHA-512
    assert [each for each in fetched if file in each] == [f"/{file}"]
    from_networks(stack, f"{path}/{feed}?{FLAGS}", {"x-user-staging-id": STAGING_ID})
    assert cells(stack, name, "update_checks", "version", "channel") == {(OLD, "stable"): 10}
    assert cells(stack, name, "active", "first") == {("dw",): 10}
    assert cells(stack, name, "active_by_version", "first", "version") == {("dw", OLD): 10}
    assert cells(stack, name, "active_by_platform", "first", "os", "arch") == {("dw", os_name, arch): 10}
    assert cells(stack, name, "retention", "age") == {("1",): 10}
    assert cells(stack, name, "downloads", "version", "file") == {(NEW, "app"): 1}
    assert told_of(stack, STAGING_ID, uuid.UUID(STAGING_ID).hex) == set()


def test_a_client_whose_base_has_no_query_is_answered_and_not_counted(
    tmp_path: Path, npm_packages: Path, collector: tuple[Stack, list[str]]
) -> None:
    stack, _ = collector
    base = f"http://{stack.public}/update/win/windows-x86_64/stable/electron"
    before = stack.counted("events_accepted")
    told = {"updater": "NsisUpdater", "platform": "win32", "version": NEW, "folder": str(tmp_path)}
    found = run(npm_packages, **told, base=base)
    assert (found["version"], found["isUpdateAvailable"]) == (NEW, False)
    assert stack.counted("events_accepted") == before

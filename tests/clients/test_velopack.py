"""Velopack's own client: it finds the newer version, fetches the package, and is counted; its ids end at the door."""

from __future__ import annotations

import io
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import velopack

from collector.catalogue.releases import Place
from tests.stack import Stack
from tests.updating import NEW, OLD, cells, configured, file_server, from_networks, hashes, product, release, told_of

PLACE = Place("player", "linux-x86_64", "stable")
PACKAGE = f"player-{NEW}-full.nupkg"
BASE = f"/update/player/linux-x86_64/stable/velopack/v={OLD},first=dwm,age=3"


def manifest(version: str) -> str:
    return (
        f'<?xml version="1.0"?><package><metadata><id>player</id><version>{version}</version><title>Player</title>'
        "<authors>Example</authors><description>A player</description><channel>linux</channel>"
        "<mainExe>player</mainExe><os>linux</os></metadata></package>"
    )


def package() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("player.nuspec", manifest(NEW))
        archive.writestr("lib/app/player", "the newer version")
    return packed.getvalue()


CONTENT = package()


def installed(folder: Path, staging_id: str) -> velopack.VelopackLocatorConfig:
    """What an installer of the older version leaves behind, and the id that the client draws at its first check."""
    for each in ("packages", "current"):
        (folder / each).mkdir(parents=True)
    (folder / "sq.version").write_text(manifest(OLD), "utf-8")
    (folder / "Update").write_text("#!/bin/sh\n", "utf-8")
    (folder / "packages" / ".betaId").write_text(staging_id, "utf-8")
    return velopack.VelopackLocatorConfig(
        folder, folder / "Update", folder / "packages", folder / "sq.version", folder / "current", IsPortable=False
    )


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, list[str]]]:
    """A collector with a newer version of `player` and none of `current`; and what was fetched of the files."""
    folder = tmp_path_factory.mktemp("velopack")
    with file_server({PACKAGE: CONTENT}) as (files, fetched):
        file = {"name": PACKAGE, "url": f"{files}/{PACKAGE}", **hashes(CONTENT)}
        releases = release(PLACE, file) + release(PLACE._replace(product="current"), file, version=OLD)
        products = product("player", {"full": f"{files}/{PACKAGE}"}) + product("current")
        stack = Stack(folder, config=configured(folder, products, releases).read_text("utf-8"))
        yield stack, fetched
        stack.sweep()


def test_the_client_updates_and_is_counted_by_its_flags_alone(
    tmp_path: Path, collector: tuple[Stack, list[str]]
) -> None:
    stack, fetched = collector
    staging_id = str(uuid.uuid4())
    manager = velopack.UpdateManager(f"http://{stack.public}{BASE}", locator=installed(tmp_path, staging_id))
    update = manager.check_for_updates()
    assert update is not None
    assert update.TargetFullRelease.Version == NEW
    manager.download_updates(update)
    assert fetched == [f"/{PACKAGE}"]
    assert (tmp_path / "packages" / PACKAGE).read_bytes() == CONTENT
    from_networks(stack, f"{BASE}/releases.linux.json?localVersion={OLD}&id=player&stagingId={staging_id}")
    assert cells(stack, "player", "update_checks", "version", "channel") == {(OLD, "stable"): 10}
    assert cells(stack, "player", "active", "first") == {("dwm",): 10}
    assert cells(stack, "player", "active_by_version", "first", "version") == {("dwm", OLD): 10}
    assert cells(stack, "player", "active_by_platform", "first", "os", "arch") == {("dwm", "linux", "x86_64"): 10}
    assert cells(stack, "player", "retention", "age") == {("3",): 10}
    assert cells(stack, "player", "downloads", "version", "file") == {(NEW, "full"): 1}
    assert told_of(stack, staging_id, uuid.UUID(staging_id).hex) == set()
    (stack.data / "planted").write_text(f"staging {staging_id}", "utf-8")
    assert told_of(stack, staging_id) == {"data/planted"}


def test_a_client_that_is_up_to_date_finds_nothing_and_tells_its_version_itself(
    tmp_path: Path, collector: tuple[Stack, list[str]]
) -> None:
    stack, _ = collector
    base = "/update/current/linux-x86_64/stable/velopack"
    manager = velopack.UpdateManager(f"http://{stack.public}{base}", locator=installed(tmp_path, str(uuid.uuid4())))
    assert manager.check_for_updates() is None
    from_networks(stack, f"{base}/releases.linux.json?localVersion={OLD}")
    assert cells(stack, "current", "update_checks", "version", "channel") == {(OLD, "stable"): 10}
    assert cells(stack, "current", "active", "first") == {}

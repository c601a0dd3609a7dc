"""Tauri v2's updater: one answer per target and processor, or the static form of all of them.

tauri/{target}/{arch}/{current_version}   204, or what is newer
tauri/latest.json                         the same for all targets; the version only if the query says it
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from collector.catalogue.releases import File, Release
from collector.updates.flags import ARCHS, Said, platform_of

FOLDER = "tauri"
STATIC = "latest.json"
SYSTEMS = {"windows": "windows", "darwin": "macos", "linux": "linux"}  # target -> our os
_TARGETS = {os: target for target, os in SYSTEMS.items()}


def from_path(target: str, arch: str, version: str) -> Said:
    """What the address itself says."""
    return {"v": version, "arch": arch, **({"os": SYSTEMS[target]} if target in SYSTEMS else {})}


def answers(release: Release) -> Iterator[tuple[tuple[str, str], bytes]]:
    """Target and processor of each answer that offers this release, and the answer."""
    for target, arch, file in _offers(release):
        yield (target, arch), orjson.dumps({**_told(release), "url": file.url, "signature": file.tauri_signature})


def static(release: Release) -> bytes | None:
    """The static form; None where there is nothing to offer."""
    platforms = {f"{target}-{arch}": (file.url, file.tauri_signature) for target, arch, file in _offers(release)}
    if not platforms:
        return None
    offered = {key: {"signature": signature, "url": url} for key, (url, signature) in platforms.items()}
    return orjson.dumps({**_told(release), "platforms": offered})


def _offers(release: Release) -> Iterator[tuple[str, str, File]]:
    """The first file for each processor, one that is for any where none is for it."""
    os, platform_arch = platform_of(release.place.platform)
    files = [each for each in release.full_files if each.tauri_signature]
    for arch in ARCHS:
        exact = [each for each in files if (each.arch or platform_arch) == arch]
        universal = [each for each in files if not (each.arch or platform_arch)]
        for file in [*exact, *universal][:1]:
            yield _TARGETS.get(os, os), arch, file


def _told(release: Release) -> dict[str, Any]:
    told: dict[str, Any] = {"version": release.version, "pub_date": release.date.strftime("%Y-%m-%dT%H:%M:%SZ")}
    return told | ({"notes": release.notes} if release.notes else {})

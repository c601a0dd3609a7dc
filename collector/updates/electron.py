"""electron-updater, generic provider: what it asks for by name, and what its files say.

{channel}.yml  {channel}-mac.yml  {channel}-linux.yml  {channel}-linux-{arch}.yml   channel: ours, or `latest`
a file's name, and with .blockmap after it                                          302
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import yaml

from collector.catalogue.releases import File, Release
from collector.updates.flags import platform_of

FOLDER = "electron"
CONTENT_TYPE = "text/yaml"
BLOCKMAP = ".blockmap"
DEFAULT_CHANNEL = "latest"
_SUFFIXES = {"windows": "", "macos": "-mac"}
_LINUX = {"x86_64": "", "aarch64": "-arm64", "armv7": "-arm", "i686": "-ia32"}  # by the names of Node.js


def feeds(release: Release) -> Iterator[tuple[str, bytes]]:
    """Name and content of each feed that tells of this release, the newest."""
    os, platform_arch = platform_of(release.place.platform)
    files = [each for each in release.full_files if each.sha512]
    for suffix, archs in _audiences(os):
        fitting = [each for each in files if archs is None or (each.arch or platform_arch or archs) == archs]
        if fitting:
            content = _feed(release, fitting)
            for channel in dict.fromkeys((release.place.channel, DEFAULT_CHANNEL)):
                yield f"{channel}{suffix}.yml", content


def _audiences(os: str) -> Iterator[tuple[str, str | None]]:
    """Endings of a feed's name, and whose processor's files it lists; None: all, the client chooses by name."""
    if os in _SUFFIXES:
        yield _SUFFIXES[os], None
    elif os == "linux":
        for arch, suffix in _LINUX.items():
            yield f"-linux{suffix}", arch


def _feed(release: Release, files: list[File]) -> bytes:
    feed = {
        "version": release.version,
        "files": [
            _given({"url": each.name, "sha512": each.sha512, "size": each.size, "blockMapSize": each.blockmap_size})
            for each in files
        ],
        "path": files[0].name,
        "sha512": files[0].sha512,
        "releaseDate": in_milliseconds(release.date),
        "releaseNotes": release.notes,
        "stagingPercentage": release.rollout_percent,
        "minimumSystemVersion": release.minimum_system,
    }
    return yaml.safe_dump(_given(feed), sort_keys=False, allow_unicode=True, encoding="utf-8")


def in_milliseconds(moment: datetime) -> str:
    """As JavaScript writes a moment."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def blockmap_url(url: str) -> str:
    """Where electron-builder puts a file's block map: beside it."""
    path, question, query = url.partition("?")
    return f"{path}{BLOCKMAP}{question}{query}"


def _given(entries: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in entries.items() if value is not None}

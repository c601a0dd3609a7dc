"""Everything that is answered below one place's address: its feeds, its files, what is newest. Made once, at start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from collector.catalogue.releases import Feed, Place, Release
from collector.updates import appcast, electron, native, tauri, velopack
from collector.updates.dated import Dated, found
from collector.updates.versions import version_key

NOTHING_NEWER = Dated(204)
Declared = Mapping[tuple[str, str, str], dict[str, Any]]  # product, version, url -> the event of a declared download


class Target(NamedTuple):
    """Where a file lies, and the download that fetching it is; None: not a declared one."""

    answer: Dated
    event: dict[str, Any] | None


class Shelf:
    """What one place has; `feeds` by the rest of their address, `files` by name."""

    def __init__(self, place: Place, releases: Iterable[Release], stored: Iterable[Feed], declared: Declared) -> None:
        self.place = place
        self.feeds: dict[str, Dated] = {}
        self.files: dict[str, Target] = {}
        self._newest: str | None = None
        self._told = NOTHING_NEWER
        self._tauri: dict[tuple[str, str], Dated] = {}
        ordered = sorted(releases, key=lambda release: version_key(release.version), reverse=True)
        if ordered:
            self._lay_out(ordered, declared)
        for each in stored:
            self._put(*_stored(each))

    def newer_than(self, version: str | None) -> Dated:
        """What /v1/check answers to that version; to one that is not known, the newest."""
        return self._told if self._is_newer(version) else NOTHING_NEWER

    def tauri(self, target: str, arch: str, version: str | None) -> Dated:
        """What Tauri's dynamic form answers."""
        offered = self._tauri.get((target, arch))
        return offered if offered and self._is_newer(version) else NOTHING_NEWER

    def velopack(self, name: str) -> Dated | None:
        """Velopack's feed under that name: a stored one that has it, or the one there is."""
        feeds = (self.feeds.get(f"{velopack.FOLDER}/{each}") for each in (name, velopack.FEED))
        return next((feed for feed in feeds if feed), None) if velopack.is_feed(name) else None

    def _is_newer(self, version: str | None) -> bool:
        """Whether the newest release is newer than that version, as far as either is known."""
        if self._newest is None:
            return False
        return version is None or version_key(self._newest) > version_key(version)

    def _lay_out(self, ordered: list[Release], declared: Declared) -> None:
        newest = ordered[0]
        self._newest = newest.version
        self._told = Dated(200, native.told(newest))
        self._put(appcast.NAME, appcast.appcast(self.place.product, ordered), appcast.CONTENT_TYPE)
        for name, content in electron.feeds(newest):
            self._put(f"{electron.FOLDER}/{name}", content, electron.CONTENT_TYPE)
        if (static := tauri.static(newest)) is not None:
            self._put(f"{tauri.FOLDER}/{tauri.STATIC}", static)
        if (packages := velopack.feed(ordered)) is not None:
            self._put(f"{velopack.FOLDER}/{velopack.FEED}", packages)
        self._tauri = {audience: Dated(200, content) for audience, content in tauri.answers(newest)}
        for release in reversed(ordered):  # a file that two versions have is the newer one's
            for file in release.files:
                event = declared.get((self.place.product, release.version, file.url))
                self.files[file.name] = Target(found(file.url), event)
                blockmap = Target(found(electron.blockmap_url(file.url)), None)
                self.files.setdefault(file.name + electron.BLOCKMAP, blockmap)

    def _put(self, name: str, content: bytes, content_type: str = "application/json") -> None:
        self.feeds[name] = Dated(200, content, content_type)


def _stored(feed: Feed) -> tuple[str, bytes, str]:
    """The rest of a stored feed's address, its bytes, its type: all by its name."""
    if feed.name == appcast.NAME:
        return feed.name, feed.content, appcast.CONTENT_TYPE
    if feed.name.endswith(".yml"):
        return f"{electron.FOLDER}/{feed.name}", feed.content, electron.CONTENT_TYPE
    folder = tauri.FOLDER if feed.name == tauri.STATIC else velopack.FOLDER
    return f"{folder}/{feed.name}", feed.content, "application/json"

"""What update checks are answered with: the operator's releases and stored feeds, read once and never changed.

The configuration's key `releases` names a TOML file (schemas/releases.json says what may stand in it); stored feeds lie
where it says. What was read travels to the workers as it is, so that all of them answer alike whatever becomes of the
files. settings.py reads, updates/ makes answers of it. As in registry.py an error may show what was written.
"""

from __future__ import annotations

import base64
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from collector.catalogue.registry import Registry, check_form, quoted, refuse
from collector.disk import read_named
from collector.errors import Misconfigured

MAX_FEED_BYTES = 4_000_000


class Place(NamedTuple):
    """What a feed is for, as it stands in its address."""

    product: str
    platform: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file of a release; what is None was not given."""

    name: str
    url: str
    size: int
    kind: str = "full"
    arch: str | None = None
    sha512: str | None = None
    sha256: str | None = None
    sha1: str | None = None
    ed_signature: str | None = None
    tauri_signature: str | None = None
    blockmap_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version for one platform and channel."""

    place: Place
    version: str
    date: datetime
    files: tuple[File, ...]
    build: str | None = None
    notes: str | None = None
    notes_url: str | None = None
    minimum_system: str | None = None
    critical: bool = False
    rollout_percent: int | None = None
    rollout_interval_s: int | None = None

    @property
    def full_files(self) -> tuple[File, ...]:
        """Those that need no other version."""
        return tuple(each for each in self.files if each.kind == "full")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A stored feed: `name` is the file's, `content` its bytes."""

    place: Place
    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """All of them; `text` is what they are made of, for `releases_of` in another process."""

    releases: tuple[Release, ...]
    feeds: tuple[Feed, ...]
    text: dict[str, Any] = field(repr=False)

    def unknown_versions(self, registry: Registry) -> tuple[str, ...]:
        """Versions, as `player 1.4.3`, whose checks and downloads would be counted as (other)."""
        products = registry.products
        unknown = (each for each in self.releases if each.version not in products[each.place.product].versions)
        return tuple(dict.fromkeys(f"{each.place.product} {each.version}" for each in unknown))


def read_releases(named: object, folder: Path, registry: Registry) -> Releases:
    """What the file says that the configuration in that folder names; nothing where it names none.

    Raises Misconfigured with every problem there is, by place and rule.
    """
    if named is None:
        return releases_of({})
    path = folder / Path(str(named)).expanduser()
    try:
        text = tomllib.loads(read_named(path).decode())
    except OSError as error:
        raise Misconfigured(f"releases: {path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"releases: {path}: must be TOML: {error}") from error
    try:
        check_form(text, "releases")
        problems = [*_problems(text, registry), *_read_feeds(text, path.parent)]
        refuse("releases", problems)
    except Misconfigured as error:
        raise Misconfigured(f"{path}: {str(error).removeprefix('releases: ')}") from error
    return releases_of(text)


def releases_of(text: dict[str, Any]) -> Releases:
    """The same again of the `text` of what was read before."""
    releases, feeds = [], []
    for entry in text.get("release", ()):
        given = {key: value for key, value in entry.items() if key not in ("product", "platform", "channel", "file")}
        given |= {"date": _moment(entry["date"]), "files": tuple(File(**each) for each in entry["file"])}
        releases.append(Release(place=_place(entry), **given))
    for entry in text.get("feed", ()):
        content = base64.b64decode(entry["content"])
        feeds.append(Feed(place=_place(entry), name=_name(entry), content=content))
    return Releases(releases=tuple(releases), feeds=tuple(feeds), text=text)


def _place(entry: dict[str, Any]) -> Place:
    return Place(entry["product"], entry["platform"], entry["channel"])


def _name(entry: dict[str, Any]) -> str:
    return str(entry["file"].rpartition("/")[2])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _read_feeds(text: dict[str, Any], folder: Path) -> Iterator[str]:
    """Put the content of stored feeds beside their names; what cannot be read is a problem."""
    for index, entry in enumerate(text.get("feed", ())):
        file = folder / Path(entry["file"]).expanduser()
        try:
            content = read_named(file)
        except OSError as error:
            yield f"feed[{index}].file: {file} cannot be read: {error.strerror}"
            continue
        if len(content) > MAX_FEED_BYTES:
            yield f"feed[{index}].file: {file} has more than {MAX_FEED_BYTES} bytes"
        entry["content"] = base64.b64encode(content).decode()


def _problems(text: dict[str, Any], registry: Registry) -> Iterator[str]:
    """What no schema can say: names that the configuration declares, and what may stand once only."""
    for table in ("release", "feed"):
        for index, entry in enumerate(text.get(table, ())):
            yield from _undeclared(f"{table}[{index}]", entry, registry)
    yield from _wrong_releases(text.get("release", ()))
    met: set[tuple[Place, str]] = set()
    for index, entry in enumerate(text.get("feed", ())):
        key = (_place(entry), _name(entry))
        if key in met:
            yield f"feed[{index}].file: must have a name of its own for a platform and channel: {quoted(_name(entry))}"
        met.add(key)


def _undeclared(where: str, entry: dict[str, Any], registry: Registry) -> Iterator[str]:
    product = registry.products.get(entry["product"])
    if product is None:
        yield f"{where}.product: must be the id of a product, not {quoted(entry['product'])}"
        return
    if entry["channel"] not in product.channels:
        yield f"{where}.channel: must be a channel of the product, not {quoted(entry['channel'])}"
    if product.platforms and entry["platform"] not in product.platforms:
        yield f"{where}.platform: must be a platform of the product, not {quoted(entry['platform'])}"


def _wrong_releases(entries: list[dict[str, Any]]) -> Iterator[str]:
    met: set[tuple[Place, str]] = set()
    urls: dict[tuple[Place, str], str] = {}
    for index, entry in enumerate(entries):
        key = (_place(entry), entry["version"])
        if key in met:
            yield f"release[{index}].version: must stand once for a platform and channel: {quoted(entry['version'])}"
        met.add(key)
        try:
            _moment(entry["date"])
        except ValueError:
            yield f"release[{index}].date: must be a moment of the calendar, not {quoted(entry['date'])}"
        for number, file in enumerate(entry["file"]):
            if urls.setdefault((_place(entry), file["name"]), file["url"]) != file["url"]:
                rule = "must name one url for a platform and channel"
                yield f"release[{index}].file[{number}].name: {rule}: {quoted(file['name'])}"

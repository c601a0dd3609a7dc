"""Velopack: the feed of all releases with their full and delta packages, and the packages by name.

    velopack/{flags}/releases.{channel}.json   of whatever channel name: the address before it says which
    velopack/{flags}/{package}                 302

A query is lost on the way (Velopack writes its own), so flags stand in the path; without any, localVersion is the
version. Of the rest of its query (id, stagingId) nothing is read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import orjson

from collector.catalogue.releases import Release
from collector.updates.flags import Said

FOLDER = "velopack"
FEED = "releases.json"  # how the one feed is called here
_FEED_NAME = re.compile(r"releases\.[A-Za-z0-9._+-]{1,80}\.json")
_KINDS = {"full": "Full", "delta": "Delta"}


def is_feed(name: str) -> bool:
    """Whether the name is one that a client asks for to learn of versions."""
    return _FEED_NAME.fullmatch(name) is not None


def from_query(query: Said) -> Said:
    """The one thing that is read of Velopack's own query."""
    return {"v": query["localVersion"]} if "localVersion" in query else {}


def feed(releases: Sequence[Release]) -> bytes | None:
    """The feed of these releases; None where no file is a package of Velopack's."""
    assets = []
    for release in releases:
        for file in release.files:
            if file.sha1:
                asset = {
                    "PackageId": release.place.product,
                    "Version": release.version,
                    "Type": _KINDS[file.kind],
                    "FileName": file.name,
                    "SHA1": file.sha1.upper(),
                    "SHA256": file.sha256 and file.sha256.upper(),
                    "Size": file.size,
                    "NotesMarkdown": release.notes,
                }
                assets.append({key: value for key, value in asset.items() if value is not None})
    return orjson.dumps({"Assets": assets}) if assets else None

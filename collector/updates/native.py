"""GET /v1/check: our own form, for programs without an updater of their own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson

from collector.catalogue.releases import Release

PATH = "/v1/check"
DEFAULT_CHANNEL = "stable"


def told(release: Release) -> bytes:
    """Everything that is known of a release; what was not given is not there."""
    known: dict[str, Any] = {
        **release.place._asdict(),
        "version": release.version,
        "date": release.date.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "notes": release.notes,
        "notes_url": release.notes_url,
        "minimum_system": release.minimum_system,
        "critical": release.critical,
        "files": [_given(asdict(each)) for each in release.files],
    }
    return orjson.dumps(_given(known))


def _given(known: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in known.items() if value is not None}

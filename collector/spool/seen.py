"""The loader's memory of event ids, so that a retry with the same id counts once: DATA/ids.sqlite."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path


class Seen:
    """Which segment counts which id."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("CREATE TABLE IF NOT EXISTS ids (id TEXT PRIMARY KEY, segment TEXT) WITHOUT ROWID")

    def repeats(self, segments: Mapping[str, Sequence[str | None]], now_s: float) -> dict[str, set[int]]:
        """The positions of events whose id is counted elsewhere; what is counted here is durable when this returns."""
        found: dict[str, set[int]] = {}
        for segment, ids in segments.items():
            here: set[str] = set()
            for position, event_id in enumerate(ids):
                if event_id is None:
                    continue
                known = self._database.execute("SELECT segment FROM ids WHERE id = ?", (event_id,)).fetchone()
                if (known and known[0] != segment) or event_id in here:
                    found.setdefault(segment, set()).add(position)
                elif not known:
                    self._database.execute("INSERT INTO ids VALUES (?, ?)", (event_id, segment))
                here.add(event_id)
        self._database.commit()
        return found

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

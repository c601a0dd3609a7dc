"""A backup beside an import has its counts and the record of it, or neither: restored, it can be imported, once."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from collector.assembly import backup
from collector.errors import Unavailable
from collector.settings import read_settings
from collector.warehouse.backing_up import backup_of
from collector.warehouse.backup_file import Reader
from tests.importing import TODAY, Importer
from tests.loading import DECLARATIONS
from tests.made_logs import visits, written
from tests.storing import open_engine


def test_before_every_step_of_an_import_it_has_both_or_neither_or_waits(tmp_path: Path) -> None:
    with open_engine("embedded", tmp_path / "engine") as engine:
        importer = Importer(engine, tmp_path / "data")
        settings = replace(read_settings({}, {}), data=importer.data)
        found: list[tuple[int, bool]] = []

        def look() -> None:
            try:
                data = b"".join(backup(settings, DECLARATIONS, engine, importer.clock))
            except Unavailable as waits:
                assert "an import has not ended" in str(waits)  # noqa: PT017 - only while it waits
                found.append((-1, False))
            else:
                reader = Reader(BytesIO(data))
                kinds = [frame.kind for frame in reader.frames()]
                found.append((sum(events for events, _, _ in reader.sums.values()), b"I" in kinds))

        importer.node.load()  # makes the tables
        importer.steps.between = look
        importer.counted(written(tmp_path / "log", visits(TODAY - 5, 2, 20)))
        look()
        told = list(dict.fromkeys(found))
        assert told[:2] == [(0, False), (-1, False)], "nothing, while it reads; then days are sealed"
        assert [(events > 40, known) for events, known in told[2:]] == [(True, True)], "and then all of it"


def test_an_import_that_ends_meanwhile_is_noticed(tmp_path: Path) -> None:
    with open_engine("embedded", tmp_path / "engine") as engine:
        importer = Importer(engine, tmp_path / "data")
        importer.counted(written(tmp_path / "log", visits(TODAY - 5, 2, 20)))
        told = iter([None, b'{"files":[1]}'])
        with pytest.raises(Unavailable, match="import ended meanwhile"):
            next(backup_of(engine, DECLARATIONS, importer.clock, lambda: next(told)))

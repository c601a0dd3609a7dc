"""A reader that remembers what parts said answers as one that has just begun, whatever became of the parts."""

from __future__ import annotations

import random
from pathlib import Path

import orjson
from clickhouse_connect.driver.client import Client

from collector.warehouse.reading import Reading
from collector.warehouse.tables import COLUMNS, HOT, SEAL, SEALED, Table
from tests.memory_reading import SITE
from tests.sealing import DAY_S, FIRST_DAY
from tests.storing import open_with_tables

STEPS = 40
NODES = (1, 2, 3)


def insert(client: Client, table: Table, *rows: tuple[object, ...]) -> None:
    columns = [column for column in COLUMNS if column in table.columns]
    client.raw_insert(table.name, columns, b"\n".join(map(orjson.dumps, rows)), fmt="JSONCompactEachRow")


def change(client: Client, chance: random.Random, step: int) -> None:
    """One thing that may happen to the tables: a seal, something late, a batch, a merge, a part put aside."""
    node, day = chance.choice(NODES), FIRST_DAY + chance.randrange(step + 1)
    match chance.choice(("seal", "late", "batch", "batch", "merge", "aside")):
        case "seal":
            epochs = chance.choice((1, 1, 2))
            insert(client, SEALED, SEALED.marker(node, day, f"b{step}", events=0, rows=1, d2=SEAL, visitors=epochs))
        case "late":
            insert(client, SEALED, SEALED.marker(node, day, f"b{step}", events=1, rows=1))
        case "batch":
            counted = (3, 2, chance.randrange(1, 30), 1, 0)
            insert(client, HOT, (node, "pages", SITE, day * DAY_S, f"/{step}", "", "", 1, *counted))
        case "merge":
            client.command(f"OPTIMIZE TABLE {chance.choice((HOT, SEALED)).name} FINAL")
        case "aside":
            found = client.query("SELECT name FROM system.parts WHERE active AND table = 'sealed'").result_rows
            if found:
                client.command(f"ALTER TABLE {SEALED.name} DETACH PART '{chance.choice(found)[0]}'")


def test_what_is_remembered_of_parts_is_never_told_when_they_are_gone(tmp_path: Path) -> None:
    chance = random.Random(3)
    with open_with_tables(tmp_path / "engine") as engine:
        client, remembering = engine.writer(), Reading(engine)
        grew = 0
        for step in range(STEPS):
            change(client, chance, step)
            fresh = Reading(engine)
            known = dict(remembering.sealed_through())
            assert known == fresh.sealed_through()
            bounds = remembering.bounds(SITE, FIRST_DAY, FIRST_DAY + STEPS)
            assert bounds == fresh.bounds(SITE, FIRST_DAY, FIRST_DAY + STEPS)
            assert bounds == remembering.bounds(SITE, FIRST_DAY, FIRST_DAY + STEPS)
            grew += len(bounds) > 1 and len(known) > 1
        assert grew > 5  # there was something to remember

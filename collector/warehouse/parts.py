"""Looks whether the parts that the engine reported as written are whole on disk, and takes out those that are not.

The engine takes no notice of a write() that fails in the middle of a part, as on a full disk: it reports the insert as
done and answers from memory, or from then on fails every question about that day; its next start finds the part broken
and puts it aside (chDB 4.4, engine 26.9: measured at every write of a part, and with a full tmpfs). So what was just
written is checked before it is believed, and what is broken goes while the batch is still frozen (insert_once.py).
A merge does the same to parts that were whole. They stay for old_parts_lifetime (tables.py), so merged parts are looked
at well within it, and after a broken one the table is opened anew, which finds the parts it was made of (writing.py).
Of a replicated table nothing is taken out: the check has the engine itself compare a part with what Keeper holds, and
fetch it again from another replica.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from clickhouse_connect.driver.client import Client

from collector.log import log
from collector.warehouse.batch import Batch
from collector.warehouse.engine import FAILURES, away
from collector.warehouse.tables import TABLES, Table

_PARTS_OF_ONE_INSERT = """
SELECT name, path FROM system.parts
WHERE database = currentDatabase() AND table = {table:String} AND active AND partition = {partition:String}
  AND min_block_number = max_block_number
"""

# Older ones stand alone already: there is nothing left to go back to.
_NEWLY_MERGED_PARTS = """
SELECT name, path FROM system.parts
WHERE database = currentDatabase() AND table = {table:String} AND active AND min_block_number < max_block_number
  AND modification_time > now() - {lifetime_s:UInt32}
"""

# The files of a part that its checksums do not tell, so that the engine's own check passes them over. Each is some
# bytes, written at once: it is whole or empty.
_UNSUMMED = ("columns_substreams.txt", "metadata_version.txt", "default_compression_codec.txt")


class Part(NamedTuple):
    """A part, and where the engine keeps it."""

    name: str
    path: str


def fresh_parts(client: Client, batch: Batch) -> set[Part]:
    """The parts in the batch's partition that are one insert each; raises Unavailable."""
    try:
        parameters = {"table": batch.table, "partition": TABLES[batch.table].partition_of(batch.day, batch.node)}
        return {Part(*row) for row in client.query(_PARTS_OF_ONE_INSERT, parameters=parameters).result_rows}
    except FAILURES as error:
        raise away("the database cannot be asked for its parts", error) from error


def drop_broken(client: Client, batch: Batch, parts: Iterable[Part]) -> None:
    """Drop those of an attempt's parts that are not whole: the batch is still there. Raises Unavailable."""
    _take_out_broken(client, batch, parts, "DROP")


def detach_broken(client: Client, batch: Batch, parts: Iterable[Part]) -> bool:
    """Put aside those parts that are not whole, as a new start would; whether there were any. Raises Unavailable."""
    return _take_out_broken(client, batch, parts, "DETACH")


def are_whole(client: Client, batch: Batch, parts: Iterable[Part]) -> bool:
    """Whether these parts are; raises Unavailable."""
    try:
        return all(_is_whole(client, batch.table, part) for part in parts)
    except FAILURES as error:
        raise away("a part cannot be checked", error) from error


def undo_broken_merges(client: Client, table: Table, seen: set[Part], *, replicated: bool) -> set[Part]:
    """Look at newly merged parts but those `seen`, and have the parts back that a broken one was made of.

    Returns those that are whole, to be given as `seen` next time. Raises Unavailable.
    """
    try:
        parameters = {"table": table.name, "lifetime_s": table.settings(replicated=replicated)["old_parts_lifetime"]}
        merged = {Part(*row) for row in client.query(_NEWLY_MERGED_PARTS, parameters=parameters).result_rows}
        broken = {part for part in merged - seen if not _is_whole(client, table.name, part)}
        for part in broken:
            done = "the replicas mend it" if replicated else "undone"
            log.error(f"a merge did not write what the engine said: {done}", part=part.name)
        if broken and not replicated:
            client.command(f"DETACH TABLE {table.name} SYNC")
            client.command(f"ATTACH TABLE {table.name}")
    except FAILURES as error:
        raise away("merged parts cannot be checked", error) from error
    return merged - broken


def _take_out_broken(client: Client, batch: Batch, parts: Iterable[Part], how: str) -> bool:
    try:
        broken = [part for part in parts if not _is_whole(client, batch.table, part)]
        for part in broken:
            log.error("a part was not written as the engine said", part=part.name, taken_out=how)
            client.command(f"ALTER TABLE {batch.table} {how} PART '{part.name}'")
    except FAILURES as error:
        raise away("a part cannot be checked or taken out", error) from error
    return bool(broken)


def _is_whole(client: Client, table: str, part: Part) -> bool:
    settings = {"check_query_single_value_result": 1}
    if client.command(f"CHECK TABLE {table} PART '{part.name}'", settings=settings) != 1:
        return False
    return not any(_is_empty(Path(part.path, name)) for name in _UNSUMMED)


def _is_empty(file: Path) -> bool:
    try:
        return file.stat().st_size == 0
    except OSError:  # the engine is a server: on another machine, or its files are not ours to see
        return False

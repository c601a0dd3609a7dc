"""Brings a frozen batch into its table exactly once, whatever happens between asking and hearing.

A success is not believed and a failure is not, either: the engine forgets parts it reported and keeps parts it denied
(kill, full disk, reset connection: measured). What decides is the batch's marker row. It lies in the same block and
partition as the batch's rows, so it is there exactly when they are: looked for before every attempt, in case an earlier
one got through, and after it. An attempt that may still run is ended first, or waited for: looked for too early, its
marker would be missed. Attempts carry fresh deduplication tokens: after a lost rename the same token drops the rows.
Written rows, as the engine reports them, prove nothing and are not read.

clickhouse-connect repeats an insert by itself, under the same token, when a connection ends without an answer. It
cannot repeat a stream, so a body is given as one. Were it repeated all the same, the table's window would drop it.
"""

from __future__ import annotations

import io
import secrets
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from collector.errors import Corrupt, Unavailable
from collector.warehouse.batch import MAX_ROWS, Batch
from collector.warehouse.engine import FAILURES, away
from collector.warehouse.parts import Part, detach_broken, drop_broken, fresh_parts
from collector.warehouse.tables import DAY_S, TABLES

_BLOCK_ROWS = 2 * MAX_ROWS  # more than any batch, so that no batch is cut
_BLOCK_BYTES = 4 << 30

PINNED: dict[str, Any] = {
    "async_insert": 0,
    # one block: not cut by rows or bytes, not parsed or written in parallel, and refused if it were two partitions
    "max_insert_block_size": _BLOCK_ROWS,
    "min_insert_block_size_rows": _BLOCK_ROWS,
    "min_insert_block_size_bytes": _BLOCK_BYTES,
    "input_format_parallel_parsing": 0,
    "max_insert_threads": 1,
    "max_partitions_per_insert_block": 1,
    "insert_deduplicate": 1,
    # of a replicated table; any other takes no notice. quorum.py says why
    "insert_quorum": "auto",
    "insert_quorum_parallel": 0,
    "insert_quorum_timeout": 30_000,
    "select_sequential_consistency": 1,
    # ClickHouse turns null into 0 and clamps far dates without a word otherwise
    "input_format_null_as_default": 0,
    "date_time_overflow_behavior": "throw",
}
"""Settings of every insert; writing.py looks whether they are in force."""

# Errors about the rows themselves: the same bytes will be refused for ever. Anything else may pass.
# CANNOT_PARSE_TEXT, NUMBER_OF_COLUMNS_DOESNT_MATCH, CANNOT_PARSE_ESCAPE_SEQUENCE, CANNOT_PARSE_QUOTED_STRING,
# CANNOT_PARSE_INPUT_ASSERTION_FAILED, CANNOT_READ_ALL_DATA, CANNOT_PARSE_DATE, CANNOT_PARSE_DATETIME, TYPE_MISMATCH,
# ARGUMENT_OUT_OF_BOUND, CANNOT_CONVERT_TYPE, CANNOT_PARSE_NUMBER, INCORRECT_DATA, TOO_LARGE_STRING_SIZE,
# VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE, CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN, VIOLATED_CONSTRAINT
_FOR_GOOD = frozenset({6, 20, 25, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 469})

# Answers with the queries it found. SYNC waits until they are gone; one that cannot be ended is still there afterwards.
_END_EARLIER = "KILL QUERY WHERE startsWith(query_id, {prefix:String}) SYNC"
_COUNT_EARLIER = "SELECT count() FROM system.processes WHERE startsWith(query_id, {prefix:String})"


class NotInsertable(Exception):
    """The engine will never take this batch; the caller sets it aside. `code` is the engine's number of the error."""

    def __init__(self, name: str, code: int | None) -> None:
        super().__init__(f"batch {name} is refused for good")
        self.code = code


def insert_once(client: Client, batch: Batch) -> bool:
    """Return once the batch is in its table, verified by its marker; True if this call brought it there.

    Raises Unavailable (try again later), NotInsertable (set it aside) or Corrupt: the bytes are damaged, or a marker of
    this name tells other counts. Then nothing may be inserted or deleted before somebody has looked.
    """
    end_earlier(client, batch)
    known = fresh_parts(client, batch)
    if _is_whole_there(client, batch, known):
        return False
    refusal = attempt(client, batch, secrets.token_hex(16))
    if refusal:
        end_earlier(client, batch)
    drop_broken(client, batch, fresh_parts(client, batch) - known)
    if _is_there(client, batch):
        return True
    raise why_not(batch, refusal) from refusal


def attempt(client: Client, batch: Batch, token: str) -> Exception | None:
    """Ask once that the batch be inserted, under this deduplication token; what was heard, None for a success.

    Raises Corrupt if the batch is damaged on disk.
    """
    settings = PINNED | {
        "wait_end_of_query": 1,
        "insert_deduplication_token": token,
        "query_id": f"{_prefix(batch)}{secrets.token_hex(16)}",
    }
    columns = list(TABLES[batch.table].columns)
    body = io.BytesIO(batch.body())
    try:
        client.raw_insert(batch.table, columns, body, settings=settings, fmt="JSONCompactEachRow")
    except FAILURES as error:
        return error
    return None


def why_not(batch: Batch, refusal: Exception | None) -> Exception:
    """What to raise for a batch that an attempt did not bring: NotInsertable or Unavailable."""
    if isinstance(refusal, Error) and refusal.code in _FOR_GOOD:
        return NotInsertable(batch.name, refusal.code)
    return away(f"batch {batch.name} is not in the database", refusal)


def _prefix(batch: Batch) -> str:
    """What the query_id of every attempt at a batch begins with, and of no other batch's."""
    return f"{batch.name}-"


def end_earlier(client: Client, batch: Batch) -> None:
    """End or wait for every earlier attempt; raises Unavailable if one cannot be ended."""
    parameters = {"prefix": _prefix(batch)}
    try:
        found = client.raw_query(_END_EARLIER, parameters=parameters)
        still = client.command(_COUNT_EARLIER, parameters=parameters) if found else 0
    except FAILURES as error:
        raise away("the database cannot be asked for running inserts", error) from error
    if still != 0:
        raise Unavailable(f"an earlier insert of batch {batch.name} still runs")


def _is_whole_there(client: Client, batch: Batch, parts: set[Part]) -> bool:
    """Whether an earlier attempt brought the batch, into a part that a new start of the engine will find whole, too."""
    try:
        if not _is_there(client, batch):
            return False
    except Unavailable:  # what is broken may be why the marker cannot be asked for
        if not detach_broken(client, batch, parts):
            raise
    else:
        if not detach_broken(client, batch, parts):
            return True
    return _is_there(client, batch)


def _is_there(client: Client, batch: Batch) -> bool:
    """Whether the batch's marker is found; raises Corrupt if it tells other counts than the batch."""
    found, *told = marker_of(client, batch)
    if found and told != [batch.events, batch.rows]:
        raise Corrupt(f"the marker of batch {batch.name} tells {told[0]} events in {told[1]} rows")
    return bool(found)


def marker_of(client: Client, batch: Batch) -> tuple[int, int, int]:
    """How often the batch's marker is found, and the events and rows it tells, summed; raises Unavailable."""
    parameters = {"node": batch.node, "day_s": batch.day * DAY_S, "name": batch.name}
    try:
        rows = client.query(TABLES[batch.table].find_marker, parameters=parameters).result_rows
    except FAILURES as error:
        raise away("the database cannot be asked for a marker", error) from error
    if len(rows) != 1:
        raise Unavailable("the database gave no answer about a marker")
    found, events, brought = rows[0]
    return int(found), int(events), int(brought)

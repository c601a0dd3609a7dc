"""Brings a frozen batch into `hot` exactly once, whatever happens between asking and hearing.

A success is not believed and a failure is not, either: the engine forgets parts it reported and keeps parts it denied
(kill, full disk, reset connection: measured). What decides is the batch's marker row. It lies in the same block and
partition as the batch's rows, so it is there exactly when they are: looked for before every attempt, in case an earlier
one got through, and after it. Attempts carry fresh deduplication tokens: after a lost rename the same token drops the
rows. Written rows, as the engine reports them, prove nothing and are not read.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from collector.errors import Corrupt, Unavailable
from collector.warehouse.batch import MAX_ROWS, Batch
from collector.warehouse.parts import fresh_parts, set_broken_aside
from collector.warehouse.tables import COLUMNS, DAY_S, HOT, MARKER

_BLOCK_ROWS = 2 * MAX_ROWS  # more than any batch, so that no batch is cut
_BLOCK_BYTES = 4 << 30

_PINNED: dict[str, Any] = {
    "async_insert": 0,
    "wait_end_of_query": 1,
    # one block: not cut by rows or bytes, not parsed or written in parallel, and refused if it were two partitions
    "max_insert_block_size": _BLOCK_ROWS,
    "min_insert_block_size_rows": _BLOCK_ROWS,
    "min_insert_block_size_bytes": _BLOCK_BYTES,
    "input_format_parallel_parsing": 0,
    "max_insert_threads": 1,
    "max_partitions_per_insert_block": 1,
    "insert_deduplicate": 1,
    # ClickHouse turns null into 0 and clamps far dates without a word otherwise
    "input_format_null_as_default": 0,
    "date_time_overflow_behavior": "throw",
}

# Errors about the rows themselves: the same bytes will be refused for ever. Anything else may pass.
# CANNOT_PARSE_TEXT, NUMBER_OF_COLUMNS_DOESNT_MATCH, CANNOT_PARSE_ESCAPE_SEQUENCE, CANNOT_PARSE_QUOTED_STRING,
# CANNOT_PARSE_INPUT_ASSERTION_FAILED, CANNOT_READ_ALL_DATA, CANNOT_PARSE_DATE, CANNOT_PARSE_DATETIME, TYPE_MISMATCH,
# ARGUMENT_OUT_OF_BOUND, CANNOT_CONVERT_TYPE, CANNOT_PARSE_NUMBER, INCORRECT_DATA, TOO_LARGE_STRING_SIZE,
# VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE, CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN, VIOLATED_CONSTRAINT
_FOR_GOOD = frozenset({6, 20, 25, 26, 27, 33, 38, 41, 53, 69, 70, 72, 117, 131, 321, 349, 469})

_FIND_MARKER = f"""
SELECT count(), sum(events), sum(amount) FROM {HOT}
WHERE node = {{node:UInt64}} AND report = '{MARKER}' AND property = '' AND bucket = toDateTime({{day_s:UInt32}}, 'UTC')
  AND d1 = {{name:String}}
"""


class NotInsertable(Exception):
    """The engine will never take this batch; the caller sets it aside. `code` is the engine's number of the error."""

    def __init__(self, name: str, code: int | None) -> None:
        super().__init__(f"batch {name} is refused for good")
        self.code = code


def insert_once(client: Client, batch: Batch) -> bool:
    """Return once the batch is in `hot`, verified by its marker; True if this call brought it there.

    Raises Unavailable (try again later), NotInsertable (set it aside) or Corrupt: the bytes are damaged, or a marker of
    this name tells other counts. Then nothing may be inserted or deleted before somebody has looked.
    """
    known = fresh_parts(client, batch)
    if _is_whole_there(client, batch, known):
        return False
    refusal: Error | OSError | None = None
    body = batch.body()
    token = secrets.token_hex(16)
    settings = {**_PINNED, "insert_deduplication_token": token, "query_id": f"{batch.name}-{token}"}
    try:
        client.raw_insert(HOT, COLUMNS, body, settings=settings, fmt="JSONCompactEachRow")
    except (Error, OSError) as error:  # OSError: the embedded engine's client writes the body to a file first
        refusal = error
    written = {name: path for name, path in fresh_parts(client, batch).items() if name not in known}
    set_broken_aside(client, written)
    if _is_there(client, batch):
        return True
    if isinstance(refusal, Error) and refusal.code in _FOR_GOOD:
        raise NotInsertable(batch.name, refusal.code) from refusal
    raise Unavailable(f"batch {batch.name} is not in the database") from refusal


def _is_whole_there(client: Client, batch: Batch, parts: dict[str, Path]) -> bool:
    """Whether an earlier attempt brought the batch, and into a part that a new start of the engine will find whole."""
    try:
        found = _is_there(client, batch)
    except Unavailable:  # the part that is broken may be what nobody can read the marker in
        if not set_broken_aside(client, parts):
            raise
        return _is_there(client, batch)
    return found and (not set_broken_aside(client, parts) or _is_there(client, batch))


def _is_there(client: Client, batch: Batch) -> bool:
    """Whether the batch's marker is found; raises Corrupt if it tells other counts than the batch."""
    parameters = {"node": batch.node, "day_s": batch.day * DAY_S, "name": batch.name}
    try:
        found, events, rows = client.query(_FIND_MARKER, parameters=parameters).result_rows[0]
    except Error as error:
        raise Unavailable("the database cannot be asked for a marker") from error
    if found and (events, rows) != (batch.events, batch.rows):
        raise Corrupt(f"the marker of batch {batch.name} tells {events} events in {rows} rows")
    return bool(found)

"""Brings a frozen batch into a replicated table exactly once. On one server insert_once.py does it.

What differs: a replica may not have what another took; an attempt may hang on in a server that is asked no more; and
a part whose fate is unknown (Keeper was lost during the commit) is visible on its own replica for five minutes, until
the engine asks Keeper and drops it or not (ReplicatedMergeTreeSink.cpp). So here

    the token is the batch's name   Keeper takes it in the transaction that makes the part: of any attempts, on any
                                    replica, however late, one is taken; its window is seven days (tables.py)
    a majority has it               insert_quorum = auto, one after the other: a success is a success of a majority
    a marker is read where          select_sequential_consistency: a replica that lacks what a majority has refuses to
    nothing is missing              answer, and so does everybody when no majority is there: the batch waits on disk
    a fresh marker proves nothing   only what is merged or ten minutes old does; else the same token is tried again,
                                    which Keeper answers truly: taken before, or taken now

Any doubt is Unavailable. Two markers are the five minutes above, after which one is left. Where a whole part was lost
on every replica its token is still known: the batch waits until it is forgotten, and is late rather than doubled.
Needs at least three replicas to survive one: a majority of two is both.
"""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from collector.errors import Corrupt, Unavailable
from collector.warehouse.batch import Batch
from collector.warehouse.engine import FAILURES, away
from collector.warehouse.insert_once import attempt, end_earlier, marker_of, why_not
from collector.warehouse.parts import are_whole, fresh_parts
from collector.warehouse.tables import DAY_S, MARKER, TABLES

SETTLED_S = 600  # twice the engine's MAX_AGE_OF_LOCAL_PART_THAT_WASNT_ADDED_TO_ZOOKEEPER

_SETTLED = f"""
SELECT count() FROM {{table:Identifier}}
WHERE node = {{node:UInt64}} AND report = '{MARKER}' AND property = '' AND bucket = toDateTime({{day_s:UInt32}}, 'UTC')
  AND d1 = {{name:String}} AND _part IN (
    SELECT name FROM system.parts
    WHERE database = currentDatabase() AND table = {{table:String}} AND active AND partition = {{partition:String}}
      AND (min_block_number < max_block_number OR modification_time < now() - {{settled_s:UInt32}})
  )
"""


def insert_in_quorum(client: Client, batch: Batch) -> bool:
    """Return once a majority has the batch; False if it was known to before this call.

    Raises as insert_once() does.
    """
    end_earlier(client, batch)
    told = marker_of(client, batch)
    if told == (1, batch.events, batch.rows) and _is_settled(client, batch):
        return False
    known = fresh_parts(client, batch)
    refusal = attempt(client, batch, batch.name)
    if refusal:
        raise why_not(batch, refusal) from refusal
    if not are_whole(client, batch, fresh_parts(client, batch) - known):
        raise Unavailable(f"a part of batch {batch.name} is not whole on this replica")
    found, *counts = marker_of(client, batch)
    if found > 1:
        raise Unavailable(f"the marker of batch {batch.name} is there {found} times, until the engine drops one")
    if found and counts != [batch.events, batch.rows]:
        raise Corrupt(f"the marker of batch {batch.name} tells {counts[0]} events in {counts[1]} rows")
    if not found:
        raise Unavailable(f"batch {batch.name} is known to Keeper, and its marker is not there")
    return True


def _is_settled(client: Client, batch: Batch) -> bool:
    asked = {
        "table": batch.table,
        "node": batch.node,
        "day_s": batch.day * DAY_S,
        "name": batch.name,
        "partition": TABLES[batch.table].partition_of(batch.day, batch.node),
        "settled_s": SETTLED_S,
    }
    try:
        return bool(client.command(_SETTLED, parameters=asked))
    except FAILURES as error:
        raise away("the database cannot be asked for a marker", error) from error

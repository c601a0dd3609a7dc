"""The loader's side of the database: one client, made when it is first needed. One thread uses it."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import Error

from collector.errors import Unavailable
from collector.warehouse.batch import Batch
from collector.warehouse.embedded import Embedded
from collector.warehouse.insert_once import insert_once
from collector.warehouse.tables import create_tables


class Writing:
    """Brings batches into the database."""

    def __init__(self, engine: Embedded) -> None:
        self._engine = engine
        self._client: Client | None = None

    def insert_once(self, batch: Batch) -> bool:
        """Return once the batch is there, verified; True if this call brought it. Raises as insert_once does."""
        if self._client is None:
            client = self._engine.writer()
            try:
                create_tables(client)
            except Error as error:
                raise Unavailable("the database does not answer") from error
            self._client = client
        return insert_once(self._client, batch)

"""The collector with leaks sown into it: `python -m tests.leaks NAME,NAME serve ...`, for tests of `collector prove`.

Each leak is a mistake somebody could make: one thing in the code does more than it should. The same ones are sown into
every process, for the supervisor starts its children through this module, too. Nothing here is part of the product.
"""

from __future__ import annotations

import atexit
import functools
import gzip
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any

from aiohttp import web
from prometheus_client import Counter

from collector.cli import main
from collector.count.filter import SharedMemory
from collector.door import server
from collector.door.caller import Caller, Callers
from collector.door.receive import Receiver
from collector.log import log
from collector.processes import child
from collector.reduce.region import Region
from collector.warehouse.embedded import Embedded

ADDRESS = "203.0.113.77"
DAY_S = 86_400


def text_of(address: bytes) -> str:
    return inet_ntop(AF_INET if len(address) == 4 else AF_INET6, address)


def after(owner: Any, name: str, also: Callable[..., None]) -> None:
    """Have something done after every call of a method: `also` gets its answer and its arguments."""
    method = getattr(owner, name)

    @functools.wraps(method)
    def both(*given: Any, **more: Any) -> Any:
        answer = method(*given, **more)
        also(answer, *given)
        return answer

    setattr(owner, name, both)


def access_log() -> None:
    """Every request has a line, as an access log has it."""

    def line(caller: Caller, _: Callers, request: web.BaseRequest) -> None:
        sys.stderr.write(f'{request.remote} "{request.method} {request.path}" "{caller.agent}"\n')

    after(Callers, "of", line)


def address_column() -> None:
    """A table has a column for addresses."""
    table("address IPv4", f"toIPv4('{ADDRESS}')")


def sketch_column() -> None:
    """A table has a sketch of who came: while it is small, that is what was put in."""
    table(
        "callers AggregateFunction(uniqExact, UInt32)", f"uniqExactState(toUInt32(toIPv4('{ADDRESS}')))", key="tuple()"
    )


def table(column: str, value: str, key: str = "address") -> None:
    def make(client: Any, *_: object) -> None:
        client.command(f"CREATE TABLE IF NOT EXISTS seen ({column}) ENGINE = MergeTree ORDER BY {key}")
        client.command(f"INSERT INTO seen SELECT {value}")

    after(Embedded, "writer", make)


def repr_of_a_caller() -> None:
    """A caller can be printed, and is."""
    Caller.__repr__ = lambda caller: f"<caller {text_of(caller.address)} {caller.agent}>"  # type: ignore[method-assign] # sown
    after(Callers, "of", lambda caller, *_: log.info("called", by=repr(caller)))


def address_in_the_spool() -> None:
    """A fact of an event is the address it came from."""
    Region.country = lambda _, address: text_of(address)  # type: ignore[method-assign, assignment] # sown


def packed_little_endian() -> None:
    """Addresses are appended to a file, as the numbers they are on this machine."""

    def keep(caller: Caller, *_: object) -> None:
        with Path(os.environ["TMPDIR"], "seen").open("ab") as file:
            file.write(caller.address[::-1])

    after(Callers, "of", keep)


def compressed_log() -> None:
    """Agents are written to a log that is packed."""

    def keep(caller: Caller, *_: object) -> None:
        with gzip.open(Path(os.environ["TMPDIR"], f"agents.{os.getpid()}.log.gz"), "at") as file:
            file.write(f"{caller.agent}\n")

    after(Callers, "of", keep)


def metric_label() -> None:
    """A metric counts by agent."""
    requests = functools.cache(lambda: Counter("requests", "by agent", ["agent"]))
    after(Callers, "of", lambda caller, *_: requests().labels(caller.agent).inc())


def key_in_environment() -> None:
    """The day's key is put where children find it."""

    def tell(_: object, memory: SharedMemory, now_s: float) -> None:
        slot = memory.slot(int(now_s) // DAY_S)
        if slot:
            os.environ["DAY_KEY"] = bytes(slot.key).hex()

    after(SharedMemory, "tend", tell)


def traceback_locals() -> None:
    """An error's frames are logged with what is in them."""

    def fail(_: object, receiver: object, request: web.BaseRequest) -> None:
        headers = dict(request.headers)
        try:
            int(headers["User-Agent"])
        except (LookupError, ValueError) as error:
            told = traceback.TracebackException.from_exception(error, capture_locals=True)
            sys.stderr.write("".join(told.format()))

    after(Receiver, "receive", fail)


def filter_dump() -> None:
    """The epoch's memory is saved at the end, to go on with it after a restart."""

    def save(memory: SharedMemory, *_: object) -> None:
        path = Path(os.environ["COLLECTOR_DATA"], "filter.dump")
        atexit.register(lambda: path.write_bytes(os.pread(memory.fd, 1 << 30, 0)))

    after(SharedMemory, "create", save)


def query_in_a_log() -> None:
    """Every request's address is logged, query and all."""
    after(server.Door, "_answer", lambda _, door, request: log.debug("request", url=str(request.rel_url)))


LEAKS: dict[str, Callable[[], None]] = {
    leak.__name__: leak
    for leak in (
        access_log,
        address_column,
        repr_of_a_caller,
        address_in_the_spool,
        sketch_column,
        packed_little_endian,
        compressed_log,
        metric_label,
        key_in_environment,
        traceback_locals,
        filter_dump,
        query_in_a_log,
    )
}


def command(*names: str) -> list[str]:
    """What runs the collector with these leaks."""
    return [sys.executable, "-m", "tests.leaks", ",".join(names)]


def sow(*names: str) -> None:
    """Put leaks into this process and its children."""
    spawn = child.spawn

    def also(words: list[str], *more: Any, **options: Any) -> Any:
        at = words.index("collector")
        return spawn([*command(*names), *words[at + 1 :]], *more, **options)

    child.spawn = also  # type: ignore[assignment] # sown
    for name in names:
        LEAKS[name]()


if __name__ == "__main__":
    sow(*sys.argv.pop(1).split(","))
    main()

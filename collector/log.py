"""What the collector says about itself while it runs: one `key=value` line per happening on stderr, times in UTC.

No line holds anything of a request. Our own lines name things of ours; everything that others would print (messages
of foreign loggers, exceptions, warnings, the loop's complaints) is cut to logger, level, exception type and file:line,
because a message, an argument or a local may hold an address, an agent or a body. Entry points call configure() once.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import warnings
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger

log: FilteringBoundLogger = structlog.get_logger()
"""The logger of our own lines: log.info("segment closed", segment=name)."""

web_logger = logging.getLogger("collector.web")
"""For aiohttp's `logger=`: the root handler cuts what it is given, as it does for every foreign logger."""

_foreign: FilteringBoundLogger = structlog.get_logger()


def configure(level: str) -> None:
    """Send every line of the process to stderr, cut as above, from `level` (any case) on."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%S.%fZ", utc=True, key="time"),
            _cut_exception,
            structlog.processors.LogfmtRenderer(key_order=["time", "level", "event"], bool_as_flag=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_Stderr,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_ForeignHandler()]
    root.setLevel(number)
    for name in list(logging.root.manager.loggerDict):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.raiseExceptions = False
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread
    warnings.showwarning = _warning
    # Of a socket left open it shows the peer, and at the interpreter's end nobody can cut it any more.
    warnings.simplefilter("ignore", ResourceWarning)


def loop_exception_handler(loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """For loop.set_exception_handler: says that something went wrong in a task, never with what."""
    del loop
    _foreign.error("unhandled in the loop", **place_of(context.get("exception")))


def place_of(error: BaseException | None) -> dict[str, str]:
    """What may be said of an exception: its type, and the file and line it came from."""
    if error is None:
        return {}
    said = {"error": type(error).__qualname__}
    trace = error.__traceback__
    if trace is not None:
        while trace.tb_next is not None:
            trace = trace.tb_next
        said["at"] = _place(trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    return said


class _Stderr:
    """Writes whole lines to whatever sys.stderr is now; never fails, for a log must not end a process."""

    def __init__(self, *_: object) -> None:
        return

    def msg(self, line: str) -> None:
        stream: TextIO | None = sys.stderr
        try:
            if stream is not None:
                stream.write(line + "\n")
                stream.flush()
        except (OSError, ValueError):
            return

    debug = info = warning = error = critical = msg


class _ForeignHandler(logging.Handler):
    """Prints of a record of the standard library's logging what cannot hold anything of a request."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        _foreign.log(
            min(max(record.levelno, logging.DEBUG), logging.CRITICAL) // 10 * 10,
            "said by a library",
            logger=record.name,
            by=_place(record.pathname, record.lineno),
            **place_of(error),
        )

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        del record


def _cut_exception(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """log.exception() and exc_info=... say the type and the place, too."""
    del logger, method
    given = event.pop("exc_info", None)
    if given:
        error = given if isinstance(given, BaseException) else sys.exc_info()[1]
        event.update(place_of(error))
    event.pop("stack_info", None)
    return event


def _place(file: str, line: int) -> str:
    return f"{'/'.join(Path(file).parts[-2:])}:{line}"


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    del kind
    _foreign.critical("unhandled", **place_of(error.with_traceback(trace)))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    _foreign.critical("unhandled in a thread", **place_of(args.exc_value))


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    _foreign.error("unhandled while tidying up", **place_of(args.exc_value))


def _warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, file, line
    _foreign.warning("warned by a library", warning=category.__name__, at=_place(filename, lineno))

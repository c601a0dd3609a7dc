"""The files in which the processes of one start keep their series: room for them, and their sum.

Each process writes its own in the folder that PROMETHEUS_MULTIPROC_DIR names, set by the supervisor before the process
begins; without one a process counts for itself alone. Nothing here knows what is counted. Called by metrics.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_FILES = ("counter", "histogram", "gauge_mostrecent")  # as prometheus_client names them
_ROOM_BYTES = 128 * 1024  # of each: several times what all series take
_MEMORY = "/dev/shm"  # noqa: S108 - a folder of our own is made there


@contextmanager
def room_for_files() -> Iterator[bool]:
    """Have room on disk for the files of this process, in which its series are made; whether there is.

    They are sparse otherwise, and written to as memory: on a full disk that ends a process by SIGBUS. Then they lie in
    memory, without a name once they are made: a process must be able to start, and to refuse, while the disk is full.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        yield True
        return
    try:
        for kind in _FILES:
            with Path(folder, f"{kind}_{os.getpid()}.db").open("ab") as file:
                os.posix_fallocate(file.fileno(), 0, _ROOM_BYTES)
    except OSError:
        with TemporaryDirectory(dir=_MEMORY) as memory:
            os.environ[FOLDER_VARIABLE] = memory
            try:
                yield False
            finally:
                os.environ[FOLDER_VARIABLE] = folder
    else:
        yield True


class AllProcesses:
    """Adds up the files of all processes, leaving out one that a process is only just creating.

    A gauge that no process has set yet is missing there: it is given as this process knows it, so that no series
    appears later.
    """

    def __init__(self, folder: Path, own: CollectorRegistry) -> None:
        self._folder = folder
        self._own = own

    def collect(self) -> Iterator[Metric]:
        files = [str(path) for path in sorted(self._folder.glob("*.db")) if path.stat().st_size]
        merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]  # not annotated there
        together = {metric.name: metric for metric in merged if metric.samples}
        return iter(({metric.name: metric for metric in self._own.collect()} | together).values())

"""`python -m tests.stepped_serve serve …`: the real collector, whose supervisor goes by the clock in a file.

There is no option for it in the product: the supervisor is handed another clock, as assembly is in other tests. Its
children go by the machine's clock.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from collector.log import configure
from collector.settings import read_settings
from collector.supervisor import serve

CLOCK = "STEPPED_CLOCK"  # names the file that holds seconds since 1970


class FileClock:
    """The time that a file tells."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> float:
        return float(self._path.read_text("ascii"))


def main(arguments: list[str]) -> None:
    """Serve, with options as `collector serve` takes them."""
    options = {name.removeprefix("--"): value for name, value in zip(arguments[::2], arguments[1::2], strict=True)}
    settings = read_settings(options, os.environ)
    configure(settings.log_level)
    serve(settings, FileClock(Path(os.environ[CLOCK])), lambda public, analyst: None)


if __name__ == "__main__":
    main(sys.argv[2:])

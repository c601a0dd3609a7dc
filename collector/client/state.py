"""The client's files in its state folder: what is counted, whether somebody opted out, and what was sent.

    counted.txt   day 2026-11-29          the last day, week, month in which this installation was counted, and the
                  week 2026-11-23         week it was installed; nothing before the first check that succeeded;
                  month 2026-11-01        "opted-out" after opting out, then no other file exists
                  installed 2026-10-05
    waiting.txt   events not sent yet (waiting.py)
    sent.txt      the last 50 requests exactly as they were sent, each with what was answered

All is plain text for whoever wants to look. A file that cannot be read counts as absent, as after a reinstallation.
"""

from __future__ import annotations

import os
from pathlib import Path

from .contract import Counted, day_of

SENT_KEPT = 50
OPTED_OUT = "opted-out\n"
_BETWEEN = "\n\n"


class State:
    """The files of one folder; the player opens one such folder once at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._is_gone = False
        self._counted, self._sent = folder / "counted.txt", folder / "sent.txt"

    @property
    def is_opted_out(self) -> bool:
        """Whether nothing is to be sent, nor written."""
        return self._is_gone or _text(self._counted) == OPTED_OUT

    def counted(self) -> Counted | None:
        """What is counted; None before the first check that succeeded."""
        words = _text(self._counted).split()
        if words[::2] != list(Counted._fields):
            return None
        days = [day for day in map(day_of, words[1::2]) if day]
        return Counted(*days) if len(days) == len(Counted._fields) else None

    def keep(self, counted: Counted | None) -> None:
        """Have this be what is counted, on disk. Raises OSError."""
        days = counted._asdict() if counted else {}
        write_whole(self._counted, "".join(f"{name} {day.isoformat()}\n" for name, day in days.items()))

    def opt_out(self) -> None:
        """Delete everything but the word that somebody opted out. Raises OSError."""
        write_whole(self._counted, OPTED_OUT)
        self._sent.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete everything. Raises OSError."""
        self._is_gone = False
        for path in (self._counted, self._sent):
            path.unlink(missing_ok=True)

    def leave(self) -> None:
        """Delete everything and write nothing from now on: the program is being removed. Raises OSError."""
        self.clear()
        self._is_gone = True

    def note(self, request: bytes, answered: str) -> None:
        """Keep a request in plain view. Raises OSError."""
        shown = f"{request.decode().replace(chr(13), '').strip()}\n-> {answered}"
        write_whole(self._sent, _BETWEEN.join([*self.sent(), shown.replace(_BETWEEN, "\n")][-SENT_KEPT:]) + "\n")

    def sent(self) -> list[str]:
        """The last requests exactly as they were sent, each with what was answered."""
        return [each for each in _text(self._sent).rstrip("\n").split(_BETWEEN) if each]


def write_whole(path: Path, text: str) -> None:
    """Replace a file at once: whoever is interrupted leaves the old one. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""

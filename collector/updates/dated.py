"""Ready answers to update checks: whole bytes, made anew once a UTC day for the day that they tell.

Clients never trust their own clock: which day, week or month it is, they learn from the header Collector-Day.
"""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

from collector.door.answers import Answer, answer, leads_to, takes_gzip

DAY_S = 86_400
_EXPOSED = "Access-Control-Expose-Headers: Collector-Day\r\n"


class Dated:
    """One answer, the same to everybody on a day; with a body also gzipped for who takes that."""

    def __init__(self, status: int, body: bytes = b"", content_type: str = "application/json", more: str = "") -> None:
        self._status = status
        self._content_type = content_type
        self._more = more + _EXPOSED
        self._bodies = {"": body}
        if body:
            self._bodies["gzip"] = gzip.compress(body, mtime=0)
            self._more += "Vary: Accept-Encoding\r\n"
        self._day = -1
        self._answers: dict[str, Answer] = {}

    def on(self, now_s: float, accept_encoding: str = "") -> Answer:
        """The answer at that moment."""
        if self._day != (day := int(now_s) // DAY_S):
            told = f"{self._more}Collector-Day: {datetime.fromtimestamp(day * DAY_S, UTC).date().isoformat()}\r\n"
            self._answers = {
                encoding: answer(
                    self._status,
                    body,
                    self._content_type,
                    told + (f"Content-Encoding: {encoding}\r\n" if encoding else ""),
                )
                for encoding, body in self._bodies.items()
            }
            self._day = day
        return self._answers["gzip" if "gzip" in self._answers and takes_gzip(accept_encoding) else ""]


def found(url: str) -> Dated:
    """Leads to where a file lies."""
    return Dated(302, more=leads_to(url))

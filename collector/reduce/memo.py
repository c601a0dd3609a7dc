"""Remembers answers, never questions: a bounded table from the hash of a question to its answer.

An agent, a page's address or a referrer asked about leaves nothing here but 64 bits and the buckets it became; a cache
of the usual kind (functools.lru_cache, ua_parser.parse) would keep the text itself in memory for hours. Python hashes
text with SipHash under a key that each process draws anew: nobody outside can aim at a collision, and by accident two
of a million questions share an answer with a probability of 3 in 100 million. (PYTHONHASHSEED takes that key away: it
is for tests only.)
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Memo(Generic[Answer]):
    """At most `limit` answers; when it is full the oldest tenth goes.

    get  the answer under a hash, or None
    """

    __slots__ = ("_answers", "_limit", "get")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._answers: dict[int, Answer] = {}
        self.get: Callable[[int], Answer | None] = self._answers.get  # bound once: a method would double its cost

    def __len__(self) -> int:
        return len(self._answers)

    def put(self, hashed: int, answer: Answer) -> Answer:
        """Remember the answer to the question with that hash, and return it."""
        answers = self._answers
        if len(answers) >= self._limit:
            for oldest in list(islice(answers, max(1, self._limit // 10))):
                del answers[oldest]
        answers[hashed] = answer
        return answer

"""Makes a worker forget what libraries remember of requests that are long answered.

    caches of functions    aiohttp has whole addresses read by yarl, queries included, which keeps the last of them
    orjson's cache of keys  keeps 2,048 keys of JSON objects for good, whatever a sender called them

Both hold values, not only remnants of freed memory, so every worker does it all the time. Under `strict_memory` the
remnants go, too: the C library writes over what is freed (STRICT_ENVIRON, set where a worker is started), cycles are
collected every two seconds, and the plain event loop is used, for uvloop reads all connections into one buffer of
256,000 bytes that only the next request writes over. Called by worker.py; it never looks at a value.
"""

from __future__ import annotations

import asyncio
import gc
from functools import _lru_cache_wrapper
from typing import Any

import orjson

FORGET_EVERY_S = 30.0
STRICT_EVERY_S = 2.0
# Of glibc: fill what is freed with a byte; keep no small pieces back, for those would be left as they are.
STRICT_ENVIRON = {
    "PYTHONMALLOC": "malloc",
    "GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0",
}
# A key of ours reaches a given one of 2,048 places with 1/2,048: all of them but with 7 in 10^6.
_KEYS = 40_000


class Forgetting:
    """The caches of one process, as they are once everything is imported; make it before gc.freeze()."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._keys_of_ours = orjson.dumps([{f"k{number}": 0} for number in range(_KEYS)])
        self._caches: list[_lru_cache_wrapper[Any]] = [
            each for each in gc.get_objects() if isinstance(each, _lru_cache_wrapper)
        ]

    async def run(self) -> None:
        """Forget again and again, until cancelled."""
        while True:
            await asyncio.sleep(STRICT_EVERY_S if self._strict else FORGET_EVERY_S)
            self.forget()

    def forget(self) -> None:
        """Let go of everything remembered so far (8 ms)."""
        for cache in self._caches:
            cache.cache_clear()
        orjson.loads(self._keys_of_ours)
        if self._strict:
            gc.collect()

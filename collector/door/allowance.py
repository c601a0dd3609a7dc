"""How much one network may ask of this worker, so that who sends much takes nothing from the others.

A network (/24, /48) has a cell of an array, together with some thousand others; a cell says how many requests came from
all of them in these ten seconds. Then every number is 0 again and which cell a network has is drawn anew, so that who
shares one with somebody loud does not for long. The array, the number drawn and Python's key of hashes (Memo speaks of
it) are in the memory of one process, and in nothing that is kept, sent or logged. Nobody learns anything from it: no
address or prefix can be read back, for a number is the sum of a thousand networks, and nothing ties two windows
together; who holds the live memory of a worker could ask whether any of a thousand networks sent something just now.

Addresses that are nobody's on the internet have no limit: they are this machine, the operator's own network, or a proxy
that is not in trusted_proxies, behind which everybody would share one. receive.py asks, before a body is read.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from ipaddress import ip_address
from secrets import randbits

WINDOW_S = 10
BYTES_AT_ONE = 256  # of a body: an event has some 150, and one more of them in a body costs nearly as much as a request
CELL_BITS = 14  # 128 KiB; 1,024 networks of IPv4 to a cell

_IPV4_BYTES = 4
_WORD = (1 << 64) - 1
_SHIFT = 64 - CELL_BITS


class Allowance:
    """Counts requests by network; one per worker."""

    def __init__(self, requests_per_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        """As many requests a second, over a window; 0: no limit. `clock_s` never goes back."""
        self._most = requests_per_s * WINDOW_S
        self._clock_s = clock_s
        self._ends_s = 0.0
        self._cells = array("Q")
        self._odd = 1

    def left(self, address: bytes) -> bool:
        """Whether the network of this packed address may ask once more; that is counted."""
        return not self._most or self._counted(address, 1) or not ip_address(address).is_global

    def also(self, address: bytes, body_bytes: int) -> None:
        """Count a body, now that its size is known."""
        if self._most and body_bytes > BYTES_AT_ONE:
            self._counted(address, body_bytes // BYTES_AT_ONE)

    def _counted(self, address: bytes, requests: int) -> bool:
        now_s = self._clock_s()
        if now_s >= self._ends_s:
            self._ends_s = now_s + WINDOW_S
            self._cells = array("Q", bytes(8 << CELL_BITS))
            self._odd = randbits(64) | 1
        network = hash(address[:3] if len(address) == _IPV4_BYTES else address[:6])
        cell = (network * self._odd & _WORD) >> _SHIFT  # multiply-shift, as marks.py has it
        self._cells[cell] = asked = self._cells[cell] + requests
        return asked <= self._most

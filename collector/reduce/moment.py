"""When an event happened, to the hour: all the time that is ever kept.

The client says how many seconds ago (its clock may be wrong, its stop-watch hardly), the server knows what time it is.
"""

from __future__ import annotations

MAX_AGE_S = 172_800  # 48 hours: older days may be sealed
HOUR_S = 3_600


def hour_of(now_s: float, age_s: int) -> int:
    """Whole hours since 1970-01-01T00:00Z when it happened; said to be over 48 hours ago, it happened on receipt."""
    return int((now_s if age_s > MAX_AGE_S else now_s - age_s) // HOUR_S)

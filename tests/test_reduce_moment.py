from __future__ import annotations

import pytest

from collector.reduce.moment import hour_of

NOON = 1_800_014_400.0  # an hour's beginning
HOUR = 500_004


@pytest.mark.parametrize(
    ("now_s", "age_s", "hour"),
    [
        (NOON, 0, HOUR),
        (NOON + 3_599.999, 0, HOUR),
        (NOON + 3_600, 0, HOUR + 1),
        (NOON, 1, HOUR - 1),
        (NOON + 0.5, 1, HOUR - 1),
        (NOON, 3_600, HOUR - 1),
        (NOON, 172_800, HOUR - 48),
        (NOON + 1, 172_800, HOUR - 48),
        (NOON, 172_801, HOUR),  # older than 48 hours: counted at receipt
        (NOON, 10**18, HOUR),
    ],
)
def test_time_is_cut_to_the_hour_and_too_great_an_age_is_not_believed(now_s: float, age_s: int, hour: int) -> None:
    assert hour_of(now_s, age_s) == hour

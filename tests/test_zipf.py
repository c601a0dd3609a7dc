"""Sealed days of made-up traffic: most of it is named, and none of it for too few."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.zipf import Sealed, seal_days


def enough_is_named(sealed: Sealed) -> bool:
    return all(sealed.named[report] > 0.5 for report in ("countries", "platforms", "browsers", "languages"))


def test_three_sealed_days_name_most_hits_and_none_for_fewer_than_k_networks(tmp_path: Path) -> None:
    sealed = seal_days(tmp_path, days=3, visitors=1_000, seed=1)
    assert sealed.under_k == 0
    assert enough_is_named(sealed)


@pytest.mark.slow
@pytest.mark.parametrize("visitors", [1_000, 10_000, 100_000])
def test_thirty_sealed_days_name_most_hits_and_none_for_fewer_than_k_networks(tmp_path: Path, visitors: int) -> None:
    sealed = seal_days(tmp_path, days=30, visitors=visitors, seed=20261125)
    assert sealed.under_k == 0
    assert enough_is_named(sealed)

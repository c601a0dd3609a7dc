"""Tests that need a program of the system say so by name: skipped where it is absent, failed where it must be there.

`.ci/run` installs all of them and sets TESTS_REQUIRE_ALL=1, so that nothing is left untested unseen. The variable is
not called COLLECTOR_*, because the collector warns about names of its own that it does not know.
"""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

REQUIRE_ALL = "TESTS_REQUIRE_ALL"


def needs(*programs: str) -> None:
    """Go on if every program is on PATH; otherwise skip the calling test by the missing names, or fail it in CI."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        lacks(f"needs the system package {' '.join(missing)}")


def lacks(reason: str) -> NoReturn:
    """Skip the calling test because this machine lacks something; fail it in CI."""
    if os.environ.get(REQUIRE_ALL, "") not in ("", "0"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)

"""Collectors that are wrong on purpose: an injection that does not find their loss proves nothing with a 0.

A control is a copy of the package in which one module ends with another definition of what it promises. Everything
else in the copy is a link to the checkout.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.durability.driven import CHECKOUT

_INSERT_ONCE = Path("collector/warehouse/insert_once.py")

# The engine's deduplication is trusted: every attempt has the same token, and no marker is looked for.
_TOKEN_ONLY = """
def insert_once(client, batch):
    settings = {**PINNED, "insert_deduplication_token": batch.name}
    columns = list(TABLES[batch.table].columns)
    try:
        client.raw_insert(batch.table, columns, batch.body(), settings=settings, fmt="JSONCompactEachRow")
    except FAILURES as error:
        raise Unavailable("try again") from error
    return True
"""

# Segments and frozen file go after an attempt without a look at the table: the next start finds nothing to do again.
_DELETE_BEFORE_VERIFY = """
_verified = insert_once
def insert_once(client, batch):
    try:
        return _verified(client, batch)
    except Unavailable:
        return True
"""

# Markers are looked for, but not what lies on disk behind them: what the engine remembers is taken for what it wrote.
_MEMORY_IS_ENOUGH = """
def drop_broken(client, batch, parts):
    pass


def detach_broken(client, batch, parts):
    return False
"""

CONTROLS = {
    "token-only retry": _TOKEN_ONLY,
    "delete before verify": _DELETE_BEFORE_VERIFY,
    "the engine's memory is believed": _MEMORY_IS_ENOUGH,
}


def wrong_package(folder: Path, control: str) -> Path:
    """A copy of the checkout below `folder`, made wrong; where to start its programs."""
    root = folder / "wrong"
    shutil.copytree(
        CHECKOUT / "collector",
        root / "collector",
        ignore=shutil.ignore_patterns("__pycache__", "ui", "_web"),
        copy_function=os.symlink,
    )
    for name in ("tests", "schemas"):
        (root / name).symlink_to(CHECKOUT / name)
    module = root / _INSERT_ONCE
    module.unlink()
    module.write_text((CHECKOUT / _INSERT_ONCE).read_text() + CONTROLS[control])
    return root

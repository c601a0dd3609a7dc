"""Every fuzz target by its name."""

from __future__ import annotations

from tests.fuzz import doors, files, questions, words

TARGETS = {target.name: target for module in (doors, words, files, questions) for target in module.TARGETS}

"""Every fuzz target by its name, and the module that it is in."""

from __future__ import annotations

from tests.fuzz import analyst, callers, files, public, questions, words

_MODULES = (public, analyst, callers, words, files, questions)

TARGETS = {target.name: target for module in _MODULES for target in module.TARGETS}
MODULE_OF = {target.name: module.__name__ for module in _MODULES for target in module.TARGETS}

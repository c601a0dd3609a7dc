"""Which of two versions is newer: numbers before their pre-release, as schemas/events/ writes a version."""

from __future__ import annotations

PARTS = 4

Key = tuple[tuple[int, ...], bool, str, int]


def version_key(version: str) -> Key:
    """What versions are ordered by; only for texts of the declared pattern. 1.4 and 1.4.0 are the same."""
    numbers, _, early = version.partition("-")
    parts = [int(part) for part in numbers.split(".")]
    word, _, number = early.partition(".")
    return (*parts, *[0] * (PARTS - len(parts))), not early, word, int(number or 0)

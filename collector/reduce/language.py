"""The language a caller prefers, as the primary subtag of the shipped list: `de` of `de-AT,de;q=0.9,en;q=0.8`.

Region, script and everything else that a list of languages could tell somebody by is left behind here.
"""

from __future__ import annotations

from collector.cell import UNKNOWN

_LOOKED_AT = 200  # characters; browsers send fewer than 100
_MAX_RANGES = 16
_SUBTAG_ENDS = ("-", ",", "")

# Codes that ISO 639 withdrew and some systems still send.
_RENAMED = {"iw": "he", "in": "id", "ji": "yi", "tl": "fil", "mo": "ro", "sh": "sr"}


def language_of(accept_language: str, known: frozenset[str]) -> str:
    """The known language of highest weight (RFC 9110, 12.5.4), of equals the first; "(unknown)" if there is none."""
    first = accept_language[:2]
    if first in known and accept_language[2:3] in _SUBTAG_ENDS:
        comma, semicolon = accept_language.find(","), accept_language.find(";")
        if semicolon < 0 or -1 < comma < semicolon:
            return first  # what nearly every browser sends: the first range, without a weight
    best, weight = UNKNOWN, 0.0
    for entry in accept_language[:_LOOKED_AT].split(",", _MAX_RANGES)[:_MAX_RANGES]:
        tag, _, parameter = entry.partition(";")
        own = _weight(parameter) if parameter else 1.0
        if own > weight and (language := _primary(tag, known)):
            best, weight = language, own
            if weight == 1.0:
                break
    return best


def _primary(tag: str, known: frozenset[str]) -> str | None:
    subtag = tag.strip().partition("-")[0].lower()
    subtag = _RENAMED.get(subtag, subtag)
    return subtag if subtag in known else None


def _weight(parameter: str) -> float:
    name, _, number = parameter.partition("=")
    digits = number.strip()
    if name.strip() not in ("q", "Q") or not digits.replace(".", "", 1).isdecimal() or not digits.isascii():
        return 0.0
    return min(float(digits), 1.0)

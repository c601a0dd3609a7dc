"""Says whether a piece of text looks like it was made for one person: an address, an account, a token, a number.

Used on every segment of a path, on campaign values and on the names of referring domains. It errs towards "yes": a page
lost in `:id` costs a line in a report, an address kept costs a promise. What people write for readers must pass:
`a-long-title-with-words`, `logstash-1.3.2.tar.gz`, `2015-05-17`, `BaseHTTPRequestHandler`. Rules, in this order:

    an "@" or what stands for one · "name=value" · UUID, 16 hex digits, MAC, fingerprint · JWT · licence key
    IPv4 (dots, dashes), IPv6 · 6 digits in a row (but a date since 2000 among words) · phone, card, IBAN in groups
    a word of 8 or more letters and digits that no human wrote · 20 characters of base64

Measured: of random base62 it misses 1 in 1,000 at 20 characters, 1 in 30 at 16, 1 in 3 at 8; of 35,000 names of Python
functions and classes it takes 48 for made by chance. Letters alone are hardest: 1 in 10 at 20 lower-case letters.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import AddressValueError, IPv6Address

_MARKS = re.compile(r"@|\(at\)|\[at\]|&#|=.|%[0-9a-f]{2}|%u[0-9a-f]{4}", re.IGNORECASE)
_CODES = re.compile(
    r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"  # UUID
    r"|[0-9a-f]{16}"
    r"|(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}"  # MAC address; the first bytes of a fingerprint
    r"|(?-i:eyJ)[a-z0-9_-]{5}",  # JWT: base64 of {"
    re.IGNORECASE,
)
_LICENCE = re.compile(r"(?<![a-z0-9])(?:[a-z0-9]{4,8}-){3,}[a-z0-9]{4,8}(?![a-z0-9])", re.IGNORECASE)
_BYTE = r"(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]{1,2})"
_IPV4 = re.compile(rf"(?<![0-9]){_BYTE}([._-]){_BYTE}\1{_BYTE}\1{_BYTE}(?![0-9])")
_IPV6 = re.compile(r"(?<![0-9a-z:])[0-9a-f:]{2,39}(?![0-9a-z:])", re.IGNORECASE)

# Dates of birth are mostly older than 2000; a personal number is a date with more digits behind it.
_DATE = re.compile(
    r"(?<!\d)(?:20[0-3]\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])"
    r"|(?:0?[1-9]|[12]\d|3[01])([-_.])(?:0?[1-9]|[12]\d|3[01])\220[0-3]\d"
    r"|(?:19|20)\d\d-(?:19|20)\d\d)(?!\d)(?![-+_ ]?\d{3})"
)
_SIX_DIGITS = re.compile(r"\d{6}")
_GROUPS = re.compile(r"\d+(?:[ ()+/_-]{1,3}\d+){2,}")  # 555-123-4567, 06 12 34 56 78; not dots: those are versions
_DOTTED = re.compile(r"(?<!\d)(?:\d{3}\.\d{3}\.\d{4}|\d\d(?:\.\d\d){4}|\d{4}(?:\.\d{4}){2,})(?!\d)")
_PLUS = re.compile(r"\+[\d ().+/_-]{7,}")
_NUMERIC = re.compile(r"[\d ().+/_-]+")
_EXTENSION = re.compile(r"(?:\.[a-z][a-z0-9]{0,4}){1,2}\Z", re.IGNORECASE)
_PHONE_DIGITS = 7
_GROUPED_DIGITS = 9

_WORD = re.compile(r"[A-Za-z0-9]+")
_LETTERS = re.compile(r"[A-Za-z]+")
_PIECE = re.compile(r"[0-9]+|[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SHORT_WORD = 8
_SCRAMBLED_WORD = 10  # wh1000xm4 has 9
_LONG_WORD = 12
_BASE64_LENGTH = 20
_MIN_PIECE = 2.0  # letters a piece
_MIN_LETTERS = 3.0  # the same in longer words
_MIN_MIXED = 2.45  # with digits: ipv4toipv6 2.5, iPhone15ProMax256GB 2.7; random letters and digits about 1.7
_MAX_NUMBERS = 2
_UNHEARD = re.compile(r"[bcdfghjklmnpqrstvwxz]{5}", re.IGNORECASE)
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{9}")  # German: 8 in Angstschrei
_VOWEL = re.compile(r"[aeiouy]")
_MIN_VOWELS = 0.24  # structcharcodemap 0.24, German compounds 0.3; random letters 0.23
_RARE = re.compile(r"[jqxz]")
_MAX_RARE = 0.08  # one in 20 letters; random letters 0.15
_BASE64 = re.compile(r"[A-Za-z0-9_+/-]{20,}={0,2}")
_ODD = re.compile(r"[a-z][A-Z]|[A-Za-z][0-9]+[A-Za-z]|[0-9][a-z]*[A-Z]")


def is_id_like(text: str) -> bool:
    """Whether the text, already decoded, should not be kept as it is."""
    plain = unicodedata.normalize("NFKC", text)
    if plain.isalpha() and len(plain) < _LONG_WORD:
        return False
    return bool(
        _MARKS.search(plain)
        or _CODES.search(plain)
        or _is_licence(plain)
        or _has_address(plain)
        or (plain != text and _has_address(text))  # ²2001:: holds one, 22001:: does not (found by fuzzing)
        or _has_number(plain)
        or not all(_reads(word) for word in _WORD.findall(plain))
        or _has_base64(plain)
    )


def _is_licence(text: str) -> bool:
    found = _LICENCE.search(text)
    if found is None:
        return False
    groups = found[0].split("-")
    mixed = [group for group in groups if not group.isalpha() and not group.isdigit()]
    return len({len(group) for group in groups}) == 1 and len(mixed) > 1


def _has_address(text: str) -> bool:
    if _IPV4.search(text):
        return True
    return ":" in text and any(map(_is_ipv6, _IPV6.findall(text)))


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


def _has_number(text: str) -> bool:
    stem = _EXTENSION.sub("", text)
    is_numeric = _NUMERIC.fullmatch(stem) is not None
    if is_numeric and _SIX_DIGITS.search(stem):
        return True  # a date in one number may as well be a customer's
    rest = _DATE.sub(" ", stem)
    if _SIX_DIGITS.search(rest) or _DOTTED.search(rest):
        return True
    if any(_digits(found) >= _GROUPED_DIGITS for found in _GROUPS.findall(rest)):
        return True
    if any(_digits(found) >= _PHONE_DIGITS for found in _PLUS.findall(rest)):
        return True
    return is_numeric and "." not in rest and _digits(rest) >= _PHONE_DIGITS


def _digits(text: str) -> int:
    return sum(character.isdigit() for character in text)


def _reads(word: str) -> bool:
    """Whether a person may have written this run of ASCII letters and digits.

    People write few and long pieces (BaseHTTPRequestHandler: 4 of 22, sysadvent2010: 2 of 13), chance many short ones.
    """
    length = len(word)
    if length < _SHORT_WORD or word.isdigit():
        return True
    pieces = _PIECE.findall(word)
    mean = length / len(pieces)
    if word.isalpha():
        return mean >= (_MIN_PIECE if length < _LONG_WORD else _MIN_LETTERS) and _sounds(word)
    runs = _LETTERS.findall(word)
    if length >= _BASE64_LENGTH and len(runs) > 1:
        return False
    if length >= _SCRAMBLED_WORD or not (word.islower() or word.isupper()):
        numbers = sum(piece.isdigit() for piece in pieces)
        if mean < _MIN_MIXED or (numbers > _MAX_NUMBERS and length >= _SCRAMBLED_WORD):
            return False
    return all(map(_sounds, runs)) and (length < _LONG_WORD or len(runs) == 1 or not _UNHEARD.search(word))


def _sounds(letters: str) -> bool:
    """Whether letters could be read out; only long runs are judged."""
    small = letters.lower()
    if len(letters) < _LONG_WORD:
        return True
    if _CONSONANTS.search(small):
        return False
    if len(letters) < _BASE64_LENGTH or not (letters.islower() or letters.isupper()):
        return True
    vowels, rare = len(_VOWEL.findall(small)), len(_RARE.findall(small))
    return vowels / len(letters) >= _MIN_VOWELS and rare / len(letters) <= _MAX_RARE


def _has_base64(text: str) -> bool:
    """Base64 that its own dashes, slashes or pluses cut into words too short to judge alone."""
    for found in _BASE64.findall(text):
        words = _WORD.findall(found)
        if not found.islower() and not found.isupper() and any(character.isdigit() for character in found):
            odd = sum(_ODD.search(word) is not None for word in words)
            if odd * 2 >= len(words):
                return True
    return False

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.catalogue.declarations import read_declarations
from collector.cell import UNKNOWN
from collector.reduce.language import language_of

KNOWN = read_declarations().dimensions["language"].values or frozenset()


@pytest.mark.parametrize(
    ("accept_language", "language"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("DE-at", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("zh-Hant-TW,zh;q=0.9", "zh"),
        ("fil-PH,en;q=0.5", "fil"),
        ("en;q=0.5,fr;q=0.9", "fr"),
        ("en;q=0.5, fr", "fr"),
        ("en ; q=0.5 , fr;Q=0.7", "fr"),
        ("en;q=0.5,fr;q=0.5", "en"),
        ("en;q=0,fr;q=0.1", "fr"),
        ("en;q=0", UNKNOWN),
        ("tlh,en;q=0.5", "en"),
        ("x-klingon", UNKNOWN),
        ("*", UNKNOWN),
        ("*,de;q=0.5", "de"),
        ("iw-IL", "he"),
        ("in", "id"),
        ("tl", "fil"),
        ("", UNKNOWN),
        (" ", UNKNOWN),
        (",,,", UNKNOWN),
        (",de", "de"),
        ("de_DE", UNKNOWN),
        ("deutsch", UNKNOWN),
        ("de;q=", UNKNOWN),
        ("de;q=nan", UNKNOWN),
        ("de;q=-1", UNKNOWN),
        ("de;q=1e9", UNKNOWN),
        ("de;q=9", "de"),
        ("de;q=٣", UNKNOWN),
        ("de;level=1", UNKNOWN),
        ("en-" + "x" * 10_000, "en"),
        ("x," * 10_000 + "de", UNKNOWN),
        ("../../etc/passwd", UNKNOWN),
        ("\x00", UNKNOWN),
        ("\ud800", UNKNOWN),
    ],
)
def test_the_preferred_known_language_is_told_by_its_primary_subtag(accept_language: str, language: str) -> None:
    assert language_of(accept_language, KNOWN) == language


@given(text=st.one_of(st.text(), st.text(alphabet="dentlx-,;q=.0159* "), st.from_regex(r"[a-z]{2}(-[A-Z]{2})?,.*")))
def test_whatever_is_asked_for_the_answer_is_declared(text: str) -> None:
    assert language_of(text, KNOWN) in KNOWN | {UNKNOWN}
    assert language_of(text, frozenset()) == UNKNOWN

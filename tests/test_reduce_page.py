from __future__ import annotations

import random
import string
from collections.abc import Callable
from itertools import count
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.catalogue.declarations import read_declarations
from collector.cell import OTHER, UNKNOWN
from collector.errors import Code, Refused
from collector.reduce.page import Pages, campaign_value, scrubbed
from collector.reduce.scrub import is_id_like
from tests.costing import growth
from tests.nasty import OTHER_SITE, SITE, corpus, registry, texts_within

PAGES = Pages(registry("/**"))
USUAL = "/documentation/players/getting-started/first-steps?utm_source=letter"
FRESH = count()  # what was read is remembered
DIMENSIONS = read_declarations().dimensions
ADDRESSES = corpus("nasty_urls.tsv")


def fits(dimension: str, value: str) -> bool:
    pattern = DIMENSIONS[dimension].pattern
    return pattern is not None and pattern.fullmatch(value) is not None


@pytest.mark.parametrize(("url", "expected"), ADDRESSES)
def test_nasty_addresses_come_out_clean_or_are_refused(url: str, expected: str) -> None:
    if expected.startswith("!"):
        with pytest.raises(Refused) as refusal:
            PAGES.read(SITE, url)
        assert (refusal.value.code, refusal.value.field) == (Code(expected[1:]), "url")
        assert not url or url not in refusal.value.rule
    else:
        assert PAGES.read(SITE, url).path == expected
        assert PAGES.read(SITE, url).path == expected, "the second answer is a remembered one"
        assert fits("path", expected)


def test_the_corpus_of_addresses_is_large() -> None:
    assert len({url for url, expected in ADDRESSES if ":id" in expected}) >= 200
    assert len(ADDRESSES) >= 380


def test_each_site_has_hosts_of_its_own() -> None:
    with pytest.raises(Refused, match=Code.FOREIGN_HOST):
        PAGES.read(OTHER_SITE, f"https://{SITE}/")
    assert PAGES.read(OTHER_SITE, f"https://{OTHER_SITE}/a").path == "/a"


segments = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="ab01-._~%2fF5@:;=\\ \r\n\x00äé漢\u200b\u202e", max_size=30),
    st.sampled_from(
        ["..", ".", "", "%2e%2e", "jane%40example.com", "123456", "a" * 130, "漢" * 50, "%E4%BD", "%25" * 9]
    ),
)
addresses = st.lists(segments, max_size=12).map("/".join).map(f"https://{SITE}/".__add__)


@given(url=addresses)
@example(url=f"https://{SITE}/" + "%25" * 60)
def test_whatever_the_address_the_path_is_of_the_declared_pattern(url: str) -> None:
    path = PAGES.read(SITE, url).path
    assert fits("path", path)
    assert len(path.encode()) <= 120
    assert len(path.strip("/").split("/")) <= 8
    assert not any(sign.isspace() or not sign.isprintable() for sign in path if sign.isascii())


@given(url=addresses.filter(lambda url: len(url) < 110))
def test_a_path_that_was_scrubbed_stays_as_it_is(url: str) -> None:
    path = PAGES.read(SITE, url).path
    if len(path.encode()) < 100:  # a cut segment may read as a number
        assert scrubbed(path) == path


@given(url=st.text() | st.text(max_size=20).map("https://".__add__))
def test_any_text_as_an_address_is_refused_or_gives_a_path(url: str) -> None:
    try:
        answer = PAGES.read(SITE, url).path
    except Refused as refused:
        answer = refused.code
    assert answer in (Code.FOREIGN_HOST, Code.BAD_PATTERN) or fits("path", answer)


BASE62 = string.ascii_letters + string.digits
HEX = "0123456789abcdef"


@pytest.mark.parametrize(
    ("alphabet", "length", "missed_at_most"),
    [
        (BASE62, 22, 5),
        (BASE62, 32, 1),
        (BASE62 + "-_", 32, 5),
        (HEX, 16, 0),
        (HEX.upper(), 32, 0),
        (string.digits, 6, 0),
    ],
)
def test_random_secrets_are_not_kept(alphabet: str, length: int, missed_at_most: int) -> None:
    """Of 1,000 each; what is judged by its look alone cannot be told every time."""
    dice = random.Random(7)
    secrets = ["".join(dice.choices(alphabet, k=length)) for _ in range(1_000)]
    for spelled in (
        str,
        quote,
        lambda text: quote(quote(text)),
        lambda text: "".join(f"%25{ord(s):02x}" for s in text),
    ):
        missed = [secret for secret in secrets if scrubbed(f"/a/{spelled(secret)}/b") != "/a/:id/b"]
        assert len(missed) <= missed_at_most


@pytest.mark.parametrize(
    ("routes", "path", "vouched"),
    [
        ((), "/", False),
        ((), "/a", False),
        (("/",), "/", True),
        (("/",), "/a", False),
        (("/a",), "/a", True),
        (("/a",), "/a/", True),
        (("/a",), "/A", False),
        (("/a",), "/ab", False),
        (("/a",), "/a/b", False),
        (("/a/",), "/a/", True),
        (("/a/",), "/a", False),
        (("/blog/*",), "/blog/x", True),
        (("/blog/*",), "/blog/x/", True),
        (("/blog/*",), "/blog/", False),
        (("/blog/*",), "/blog", False),
        (("/blog/*",), "/blog/x/y", False),
        (("/blog/*",), "/blog/123456", True),
        (("/*/edit",), "/x/edit", True),
        (("/*/edit",), "/x/y/edit", False),
        (("/**",), "/", True),
        (("/**",), "/a/b/c/d/e/f/g/h", True),
        (("/blog/**",), "/blog", True),
        (("/blog/**",), "/blog/", True),
        (("/blog/**",), "/blog/a/b/", True),
        (("/blog/**",), "/blogs", False),
        (("/**/edit",), "/edit", True),
        (("/**/edit",), "/a/b/edit", True),
        (("/**/edit",), "/a/b/edits", False),
        (("/a/**/b/*",), "/a/x/y/b/c", True),
        (("/*.html",), "/index.html", True),
        (("/*.html",), "/index.htm", False),
        (("/*.html",), "/index-html", False),
        (("/a.b",), "/axb", False),
        (("/a b",), "/a%20b", True),
        (("/a%20b",), "/a%20b", True),
        (("/b%C3%BCcher",), "/bücher", True),
        (("/bücher",), "/b%C3%BCcher", True),
        (("/x", "/y/*"), "/y/z", True),
        (("/x", "/y/*"), "/z", False),
        (("/users/:id",), "/users/123456", True),
    ],
)
def test_only_declared_routes_vouch_for_a_path(routes: tuple[str, ...], path: str, *, vouched: bool) -> None:
    page = Pages(registry(*routes)).read(SITE, f"https://{SITE}{path}")
    assert (page.path != OTHER) == vouched


def test_what_is_kept_is_the_path_itself_and_not_its_route() -> None:
    assert Pages(registry("/blog/*")).read(SITE, f"https://{SITE}/blog/a-title").path == "/blog/a-title"


@pytest.mark.parametrize(
    ("query", "campaign"),
    [
        ("", (UNKNOWN, UNKNOWN, UNKNOWN)),
        ("?", (UNKNOWN, UNKNOWN, UNKNOWN)),
        ("?q=utm_source", (UNKNOWN, UNKNOWN, UNKNOWN)),
        ("?utm_source=news", ("news", UNKNOWN, UNKNOWN)),
        ("?a=1&utm_source=News&utm_medium=E-Mail&utm_campaign=spring_2026", ("news", "e-mail", "spring_2026")),
        ("?utm_source=a&utm_source=b", ("a", UNKNOWN, UNKNOWN)),
        ("?utm_source=&utm_source=b", (UNKNOWN, UNKNOWN, UNKNOWN)),
        ("?utm_source", (UNKNOWN, UNKNOWN, UNKNOWN)),
        ("?UTM_Source=a", ("a", UNKNOWN, UNKNOWN)),
        ("?utm%5Fsource=%61", ("a", UNKNOWN, UNKNOWN)),
        ("?utm_source=a+b", (OTHER, UNKNOWN, UNKNOWN)),
        ("?utm_source=a%20b", (OTHER, UNKNOWN, UNKNOWN)),
        ("?utm_source=jane%40example.com", (OTHER, UNKNOWN, UNKNOWN)),
        ("?utm_source=jane%2540example.com", (OTHER, UNKNOWN, UNKNOWN)),
        ("?utm_campaign=123456", (UNKNOWN, UNKNOWN, OTHER)),
        ("?utm_campaign=d41d8cd98f00b204e9800998ecf8427e", (UNKNOWN, UNKNOWN, OTHER)),
        ("?utm_campaign=" + "a" * 41, (UNKNOWN, UNKNOWN, OTHER)),
        ("?utm_term=secret&utm_content=secret&utm_id=7", (UNKNOWN, UNKNOWN, UNKNOWN)),
        ("?utm_medium=%E9", (UNKNOWN, OTHER, UNKNOWN)),
        ("?utm_medium=%00", (UNKNOWN, OTHER, UNKNOWN)),
        ("#utm_source=a", (UNKNOWN, UNKNOWN, UNKNOWN)),
        ("?utm_source=a#&utm_medium=b", ("a", UNKNOWN, UNKNOWN)),
    ],
)
def test_campaign_words_come_from_the_query(query: str, campaign: tuple[str, ...]) -> None:
    assert PAGES.read(SITE, f"https://{SITE}/a{query}") == ("/a", *campaign)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("newsletter", "newsletter"),
        ("Newsletter-2026-11", "newsletter-2026-11"),
        ("spring.sale_q4", "spring.sale_q4"),
        ("20261122_launch", "20261122_launch"),
        ("", OTHER),
        ("a b", OTHER),
        ("jane@example.com", OTHER),
        ("192.0.2.1", OTHER),
        ("555-123-4567", OTHER),
        ("123e4567-e89b-12d3-a456-426614174000", OTHER),
        ("k3j9x2m4p7q8w1", OTHER),
        ("ﬁne", OTHER),
        ("a\n", OTHER),
        ("\ud800", OTHER),
    ],
)
def test_a_campaign_word_made_for_one_person_is_not_kept(text: str, word: str) -> None:
    assert campaign_value(text) == word


@given(text=st.text() | st.text(alphabet="abcXYZ019._-@ ", max_size=50))
def test_whatever_the_campaign_the_word_is_reserved_or_of_the_declared_pattern(text: str) -> None:
    page = PAGES.read(SITE, f"https://{SITE}/?utm_campaign={quote_plus(text.encode('utf-8', 'replace'))}")
    for word in (campaign_value(text), page.utm_campaign):
        assert word in (OTHER, UNKNOWN) or (fits("utm_campaign", word) and not is_id_like(word))


def test_nothing_of_an_address_but_its_page_stays_in_memory() -> None:
    pages = Pages(registry("/kept/**"))
    pages.read(SITE, f"https://canary-name:canary@{SITE}/kept/page;canary?canary=1#canary")
    pages.read(SITE, f"https://{SITE}/canary")
    pages.read(SITE, f"https://{SITE}/kept/canary@example.com")
    held = texts_within(pages)
    assert "/kept/page" in held  # the search finds what is there
    assert "canary" not in held


@pytest.mark.parametrize(
    "piece",
    [":", "1-", "a.", "%25", "abcd-", "/", "+", "aA", "1:", "(", ";", "é", "1.1.", "2015-", "eyJ", "a/../", "/-1"],
)
def test_no_address_takes_long(piece: str) -> None:
    """At 2,048 characters a pattern that backtracks takes a thousand times what a usual address takes, and more."""

    def reading(length: int) -> Callable[[], object]:
        text = ("/x" + piece * length)[:length] if length > len(USUAL) else USUAL
        return lambda: [PAGES.read(SITE, f"https://{SITE}/{next(FRESH)}{text}") for _ in range(20)]

    assert fits("path", PAGES.read(SITE, f"https://{SITE}/x{piece * 2_048}"[:2_048]).path)
    assert growth(reading, len(USUAL), 2_000) < 300

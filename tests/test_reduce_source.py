from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.catalogue.declarations import read_declarations
from collector.cell import DIRECT, UNKNOWN
from collector.reduce.source import Sources
from tests.nasty import OTHER_SITE, SITE, corpus, registry, texts_within

SOURCES = Sources(registry())
PATTERN = read_declarations().dimensions["source"].pattern


@pytest.mark.parametrize(("referrer", "source", "begins"), corpus("nasty_referrers.tsv"))
def test_of_a_referrer_only_the_registrable_domain_is_kept(referrer: str, source: str, begins: str) -> None:
    assert SOURCES.of(SITE, referrer)[:2] == (source, begins == "entry")
    assert SOURCES.of(SITE, referrer)[:2] == (source, begins == "entry"), "the second answer is a remembered one"


def test_the_corpus_of_referrers_is_large() -> None:
    assert len({referrer for referrer, _, _ in corpus("nasty_referrers.tsv")}) >= 150


def test_a_visit_without_a_referrer_is_direct_and_begins_here() -> None:
    assert SOURCES.of(SITE, None)[:2] == (DIRECT, True)


def test_each_site_has_hosts_of_its_own() -> None:
    referrer = f"https://{SITE}/blog/"
    assert SOURCES.of(SITE, referrer)[:2] == ("example.org", False)
    assert SOURCES.of(OTHER_SITE, referrer)[:2] == ("example.org", True)


hosts = st.lists(st.text(alphabet="abz09-_xn.äß\uff05\u3002\u200b ", max_size=12), min_size=1, max_size=6).map(".".join)
referrers = st.one_of(
    st.text(),
    st.builds("{}://{}{}".format, st.sampled_from(["http", "HTTPS", "ftp"]), hosts, st.text(max_size=20)),
    st.builds("https://{}.{}/".format, hosts, st.sampled_from(["com", "co.uk", "github.io", "jp", "рф", "com."])),
)


@given(referrer=referrers)
def test_whatever_the_referrer_the_source_is_reserved_or_matches_its_pattern(referrer: str) -> None:
    source = SOURCES.of(SITE, referrer).source
    assert source in (DIRECT, UNKNOWN) or (PATTERN is not None and PATTERN.fullmatch(source))


@pytest.mark.parametrize(
    ("referrer", "spam"),
    [
        *(
            (f"https://{host}/x", True)
            for host in ("spam.example", "a.b.spam.example", "SPAM.example.", "seo.github.io")
        ),
        *((f"https://{host}/x", False) for host in ("notspam.example", "example", "spam.example.org", "github.io")),
        ("https://xn--q-5ga.example/", True),
        *((text, False) for text in ("", "spam.example", "https://example.org/?spam.example")),
    ],
)
def test_a_referrer_of_the_list_or_below_is_spam(referrer: str, spam: bool) -> None:  # noqa: FBT001 - of the table
    sources = Sources(registry(), frozenset({"spam.example", "seo.github.io", "xn--q-5ga.example"}))
    assert [sources.of(SITE, referrer).spam for _ in range(2)] == [spam, spam]
    assert not SOURCES.of(SITE, referrer).spam


def test_nothing_finer_than_the_domain_stays_in_memory() -> None:
    sources = Sources(registry())
    sources.of(SITE, "https://canary-host.kept-domain.com/canary-path?canary-query")
    held = texts_within(sources)
    assert "kept-domain.com" in held  # the search finds what is there
    assert "canary" not in held

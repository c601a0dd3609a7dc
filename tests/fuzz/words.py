"""What is read of texts: addresses of pages, referrers, agents, languages, flags and versions, lines of logs.

Each against what must hold of every result, or against a second way to say the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from collector.cell import UNKNOWN
from collector.errors import Code, Refused
from collector.reduce.language import language_of
from collector.reduce.page import MAX_BYTES, Pages, campaign_value, scrubbed
from collector.reduce.platform import Platforms
from collector.reduce.source import Sources
from collector.reduce.url import split
from collector.tools.import_log.lines import Lines
from collector.updates.flags import FlagReader, from_segment, platform_of
from collector.updates.versions import version_key
from tests.fuzz.closed import DECLARATIONS, is_of
from tests.fuzz.target import Target, Try, plain
from tests.hostile_flags import HOSTILE_FLAGS, HOSTILE_VERSIONS
from tests.made_hits import AGENTS, BOT
from tests.nasty import SITE, corpus, registry

REGISTRY = registry("/**")
MOST_URL = 2_048
_DIMENSIONS = DECLARATIONS.dimensions
_SPOKEN = _DIMENSIONS["language"].values or frozenset()


def _text(data: bytes) -> str:
    """As a header's or a query's bytes arrive."""
    return data.decode("utf-8", "surrogateescape")


@contextmanager
def _pages() -> Iterator[Try]:
    pages = Pages(REGISTRY)

    def try_it(data: bytes) -> None:
        url = data.decode("utf-8", "replace")[:MOST_URL]
        path = scrubbed(url)
        assert is_of("path", path, REGISTRY, SITE), "a scrubbed path is not of its form"
        assert len(path.encode()) <= MAX_BYTES
        for address in (url, f"https://{SITE}/{url}", f"http://{SITE}?{url}"):
            try:
                page = pages.read(SITE, address)
            except Refused as refused:
                _assert_of_an_address(refused)
            else:
                assert is_of("path", page.path, REGISTRY, SITE), "a path is not of its form"
                for name, word in page._asdict().items():
                    assert word is None or is_of(name, word, REGISTRY, SITE), f"{name} is not of its form"
        assert is_of("utm_source", campaign_value(url), REGISTRY, SITE)

    yield try_it


def _assert_of_an_address(refused: Refused) -> None:
    assert refused.code in (Code.BAD_PATTERN, Code.FOREIGN_HOST)


@contextmanager
def _referrers() -> Iterator[Try]:
    sources = Sources(REGISTRY, frozenset({"spam.example"}))

    def try_it(data: bytes) -> None:
        referrer = data.decode("utf-8", "replace")
        for text in (referrer, f"https://{referrer}", f"https://www.example.com/{referrer}"):
            source = sources.of(SITE, text)
            assert is_of("source", source.source, REGISTRY, SITE), "a source is not of its form"
            address = split(text)
            assert address is None or not re.search(r"[/?#@\\]", address.host) or source.source == UNKNOWN

    yield try_it


@contextmanager
def _agents() -> Iterator[Try]:
    platforms = Platforms()

    def try_it(data: bytes) -> None:
        agent, _, hints = _text(data).partition("\n")
        platform_hint, _, mobile_hint = hints.partition("\n")
        told = platforms.of(agent, platform_hint, mobile_hint)
        for name in ("os", "device", "browser"):
            assert is_of(name, getattr(told, name), REGISTRY, SITE), f"{name} is not of its list"
        assert told == platforms.of(agent + " " if len(agent) >= 400 else agent, platform_hint, mobile_hint)

    yield try_it


def _languages(data: bytes) -> None:
    language = language_of(_text(data), _SPOKEN)
    assert language in _SPOKEN or language == UNKNOWN


@contextmanager
def _flags() -> Iterator[Try]:
    """Flags of an update check, in a query's form and in a path's; and versions, which are ordered one way only."""
    declared = DECLARATIONS.kinds["update_check"]["properties"]
    reader = FlagReader(DECLARATIONS.kinds["update_check"])
    firsts = {tuple(each) for each in declared["first"]["enum"]}

    def try_it(data: bytes) -> None:
        text = _text(data)
        said = from_segment(text)
        flags = reader.read(("stable", "beta"), said, {"v": text})
        assert flags.version is None or reader.is_version(flags.version)
        assert flags.channel in (None, "stable", "beta")
        for name in ("os", "arch", "age"):
            told = getattr(flags, name)
            assert told is None or told in declared[name]["enum"], f"{name} is not of its list"
        assert tuple(flags.first) in firsts or not flags.first
        assert platform_of(text)[1] in (None, *declared["arch"]["enum"])
        versions = [each for each in re.split(r"[\s,;|]+", text) if reader.is_version(each)][:6]
        keys = [version_key(each) for each in versions]
        for one in keys:
            for other in keys:
                assert (one < other) + (one == other) + (other < one) == 1, "two versions are in no order"

    yield try_it


@contextmanager
def _lines() -> Iterator[Try]:
    """A line as it is; and one made of these bytes as nginx writes it, which reads back as what was sent."""
    lines = Lines()

    def try_it(data: bytes) -> None:
        line = lines.read(data)
        if line is not None:
            assert len(line.address) in (4, 16)
            assert 0 <= line.status <= 999
            assert line.at == int(line.at)
        target, _, rest = data.partition(b"\n")
        referrer, _, agent = rest.partition(b"\n")
        if not target or b" " in target:
            return
        made = b'192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET %s HTTP/1.1" 200 5 "%s" "%s"\n'
        read = lines.read(made % (_escaped(target), _escaped(referrer), _escaped(agent)))
        assert read is not None, "a line of nginx is not read"
        assert read.target == target.decode("utf-8", "replace")
        for told, sent in ((read.referrer, referrer), (read.agent, agent)):
            assert told == ("" if sent == b"-" else sent.decode("utf-8", "replace"))

    yield try_it


def _escaped(text: bytes) -> bytes:
    """As nginx writes a variable: quotes, backslashes and all that is no printable ASCII as hex."""
    return b"".join(b"\\x%02X" % byte if byte in b'"\\' or not 32 <= byte < 127 else bytes((byte,)) for byte in text)


def _column(name: str) -> Callable[[], Iterator[bytes]]:
    return lambda: (row[0].encode("utf-8", "surrogatepass") for row in corpus(name))


@cache
def _log() -> tuple[bytes, ...]:
    agents = [each.encode() for each in (*AGENTS, BOT)]
    line = b'www.example.org:443 2001:db8::1 - jane [10/Oct/2026:13:55:36 +0530] "GET /a HTTP/2.0" 304 - "-" "%s" x\n'
    made = [b"/a?b=c\nhttps://news.example.net/\n" + agent for agent in agents]
    return (*(line % agent for agent in agents), *made, b'\\x22"\\\n\xc3\xbc\n-', b"/\xff\xfe\n\0\n\\n")


_TONGUES = (
    b"de-AT,de;q=0.9,en;q=0.8",
    b"*",
    b"zh-Hans-CN;q=0.5, fr;q=1.000",
    b"iw, in;q=0,xx;q=NaN",
    b"en;q=1e5;q=0.1",
)
_URL_WORDS = (
    b"%2F",
    b"%25",
    b"%40",
    b"@",
    b":",
    b"..",
    b"/",
    b";",
    b"\\",
    b"192.0.2.1",
    b"2001:db8::1",
    b"utm_source=",
    b"&",
)

TARGETS = (
    Target(name="pages", opened=_pages, seeds=_column("nasty_urls.tsv"), words=_URL_WORDS),
    Target(
        name="referrers", opened=_referrers, seeds=_column("nasty_referrers.tsv"), words=(*_URL_WORDS, b"xn--", b"0x7f")
    ),
    Target(
        name="agents",
        opened=_agents,
        seeds=lambda: (f'{agent}\n"Windows"\n?1'.encode() for agent in (*AGENTS, BOT)),
        words=(
            b"iPad",
            b"Mobile",
            b"Android",
            b"Tablet",
            b"TV",
            b"Opera Mini",
            b"bot",
            b"Windows NT 10.0",
            b"Firefox/",
        ),
    ),
    Target(name="languages", opened=plain(_languages), seeds=lambda: _TONGUES, words=(b";q=", b",", b"-", b"de")),
    Target(
        name="flags",
        opened=_flags,
        seeds=lambda: (
            *(flag.replace("&", ",").encode() for flag in HOSTILE_FLAGS),
            *(f"v={version},first=dwm,age=3,1.4 1.4.0 1.4.0-beta.1".encode() for version in HOSTILE_VERSIONS),
        ),
        words=(b"first=", b"age=", b"os=", b"arch=", b"ch=", b"-beta.", b"1.4.2", b",", b"x86_64", b"windows-"),
    ),
    Target(
        name="lines",
        opened=_lines,
        seeds=_log,
        words=(b'"', b"\\x", b"\\\\", b'\\"', b" - - [", b"+0530]", b"HTTP/1.1", b"-"),
    ),
)

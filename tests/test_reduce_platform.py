from __future__ import annotations

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA, is_crawler
from hypothesis import given
from hypothesis import strategies as st

from collector.catalogue.declarations import read_declarations
from collector.cell import UNKNOWN
from collector.reduce.platform import Platforms
from tests.nasty import texts_within

PLATFORMS = Platforms()
PLATFORMS.warm()
DIMENSIONS = read_declarations().dimensions
KHTML = "AppleWebKit/537.36 (KHTML, like Gecko)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
LINUX = "Mozilla/5.0 (X11; Linux x86_64)"
CHROMEBOOK = f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {KHTML}"  # codespell:ignore cros
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
IPAD = "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
ANDROID = "Mozilla/5.0 (Linux; Android 10; K)"
LUMIA = f"Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) {KHTML}"
BLACKBERRY = (
    "Mozilla/5.0 (BB10; Touch) AppleWebKit/537.10+ (KHTML, like Gecko) Version/10.0.9.2372 Mobile Safari/537.10+"
)
PLAYSTATION = "Mozilla/5.0 (PlayStation 4 3.11) AppleWebKit/537.73 (KHTML, like Gecko)"
RV = "rv:140.0) Gecko/20100101 Firefox/140.0"
GOOGLEBOT_PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 6_0 like Mac OS X) AppleWebKit/536.26 (KHTML, like Gecko) Version/6.0 "
    "Mobile/10A5376e Safari/8536.25 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
)


@pytest.mark.parametrize(
    ("agent", "os", "device", "browser"),
    [
        (f"{WINDOWS} {KHTML} Chrome/140.0.0.0 Safari/537.36", "windows", "desktop", "chrome"),
        (f"{WINDOWS} {KHTML} Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0", "windows", "desktop", "edge"),
        (f"{WINDOWS} {KHTML} Chrome/140.0.0.0 Safari/537.36 OPR/120.0.0.0", "windows", "desktop", "opera"),
        (f"{WINDOWS} {KHTML} Chrome/138.0.0.0 Safari/537.36 Vivaldi/7.5", "windows", "desktop", "other"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; {RV}", "windows", "desktop", "firefox"),
        ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Tablet PC 2.0)", "windows", "desktop", "ie"),
        ("Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "windows", "desktop", "ie"),
        (f"{MAC} Version/18.5 Safari/605.1.15", "macos", "desktop", "safari"),
        (f"{LINUX} {KHTML} Chrome/140.0.0.0 Safari/537.36", "linux", "desktop", "chrome"),
        (f"Mozilla/5.0 (X11; Ubuntu; Linux x86_64; {RV}", "linux", "desktop", "firefox"),
        (f"Mozilla/5.0 (X11; FreeBSD amd64; {RV}", "other", "desktop", "firefox"),
        (f"{CHROMEBOOK} Chrome/140.0.0.0 Safari/537.36", "chromeos", "desktop", "chrome"),
        (f"{ANDROID} {KHTML} Chrome/140.0.0.0 Mobile Safari/537.36", "android", "mobile", "chrome"),
        (f"{ANDROID} {KHTML} Chrome/140.0.0.0 Safari/537.36", "android", "tablet", "chrome"),
        (
            f"{ANDROID} {KHTML} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
            "android",
            "mobile",
            "samsung",
        ),
        ("Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", "android", "mobile", "firefox"),
        ("Mozilla/5.0 (Android 15; Tablet; rv:140.0) Gecko/140.0 Firefox/140.0", "android", "tablet", "firefox"),
        (f"Mozilla/5.0 (Linux; Android 9; AFTMM) {KHTML} Chrome/130.0.0.0 Safari/537.36", "android", "other", "chrome"),
        ("Instagram 300.0 Android (34/14; 420dpi; 1080x2199; en_US)", "android", "mobile", UNKNOWN),
        (f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1", "ios", "mobile", "safari"),
        (f"{IPHONE} CriOS/140.0.0.0 Mobile/15E148 Safari/604.1", "ios", "mobile", "chrome"),
        (f"{IPHONE} FxiOS/140.0 Mobile/15E148 Safari/605.1.15", "ios", "mobile", "firefox"),
        (f"{IPAD} Version/16.6 Mobile/15E148 Safari/604.1", "ios", "tablet", "safari"),
        (f"{LUMIA} Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.15063", "other", "mobile", "edge"),
        (BLACKBERRY, "other", "mobile", "other"),
        (PLAYSTATION, UNKNOWN, "other", UNKNOWN),
        ("Mozilla/5.0", UNKNOWN, UNKNOWN, UNKNOWN),
        ("Some Player/4.2 (jane's own build)", UNKNOWN, UNKNOWN, UNKNOWN),
    ],
)
def test_an_agent_becomes_three_words(agent: str, os: str, device: str, browser: str) -> None:
    assert PLATFORMS.of(agent) == (os, device, browser, False)
    assert PLATFORMS.of(agent) == (os, device, browser, False), "the second answer is a remembered one"


@pytest.mark.parametrize("agent", ["", " ", "\t", "-"])
def test_without_an_agent_all_is_unknown_and_nobody_a_bot(agent: str) -> None:
    assert PLATFORMS.of(agent) == (UNKNOWN, UNKNOWN, UNKNOWN, False)
    assert PLATFORMS.of(agent, '"Windows"', "?1") == (UNKNOWN, UNKNOWN, UNKNOWN, False)


@pytest.mark.parametrize(
    ("agent", "platform_hint", "mobile_hint", "os", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0", '"Chrome OS"', "?0", "chromeos", "desktop"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0", '"Linux"', "?0", "linux", "desktop"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0", '"Android"', "?0", "android", "tablet"),
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0", "", "?1", "linux", "mobile"),
        (f"{ANDROID} Chrome/140.0.0.0 Safari/537.36", '"Android"', "?1", "android", "mobile"),
        (f"{ANDROID} Chrome/140.0.0.0 Mobile Safari/537.36", '"Android"', "?0", "android", "tablet"),
        (f"{WINDOWS} Chrome/140.0.0.0", '"Unknown"', "", "windows", "desktop"),
        (f"{WINDOWS} Chrome/140.0.0.0", "macOS", "1", "windows", "desktop"),
        (f"{WINDOWS} Chrome/140.0.0.0", '"BeOS"', "?2", "windows", "desktop"),
        (f"{WINDOWS} Chrome/140.0.0.0", '"Windows", "macOS"', "?1, ?0", "windows", "desktop"),
        (f"{WINDOWS} Chrome/140.0.0.0", "\x00\ud800" * 1_000, "<script>", "windows", "desktop"),
    ],
)
def test_hints_refine_and_junk_in_them_is_ignored(
    agent: str, platform_hint: str, mobile_hint: str, os: str, device: str
) -> None:
    assert PLATFORMS.of(agent, platform_hint, mobile_hint)[:2] == (os, device)


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        GOOGLEBOT_PHONE,
        "curl/8.5.0",
        "python-requests/2.32.3",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/140.0.0.0 Safari/537.36",
    ],
)
def test_known_bots_are_told_whatever_they_pretend_to_be(agent: str) -> None:
    assert PLATFORMS.of(agent).bot


def test_bots_are_those_that_crawler_user_agents_names() -> None:
    agents = [agent for crawler in CRAWLER_USER_AGENTS_DATA for agent in crawler.get("instances", ())]
    assert len(agents) > 1_000
    assert [agent for agent in agents if PLATFORMS.of(agent).bot != is_crawler(agent[:400])] == []


def test_only_the_first_400_characters_are_looked_at() -> None:
    agent = f"{WINDOWS} Firefox/140.0".ljust(400)
    assert PLATFORMS.of(agent + "Googlebot/2.1") == PLATFORMS.of(agent)
    assert PLATFORMS.of("x" * 8_192) == (UNKNOWN, UNKNOWN, UNKNOWN, False)


agents = st.one_of(
    st.text(),
    st.text(alphabet=st.characters(codec=None), max_size=50),
    st.lists(
        st.sampled_from(
            ["Mozilla/5.0", "(", ")", ";", "Linux", "Android", "Mobile", "TV", "iPad", "Opera", "\ud800", "ä"]
        )
    ).map(" ".join),
    st.sampled_from([agent for crawler in CRAWLER_USER_AGENTS_DATA[:200] for agent in crawler.get("instances", ())]),
)


@given(agent=agents, platform_hint=st.text() | st.sampled_from(['"Android"', '"iOS"']), mobile_hint=st.text(max_size=3))
def test_whatever_is_sent_the_words_are_declared(agent: str, platform_hint: str, mobile_hint: str) -> None:
    platform = PLATFORMS.of(agent, platform_hint, mobile_hint)
    for name in ("os", "device", "browser"):
        assert getattr(platform, name) in (DIMENSIONS[name].values or frozenset()) | {UNKNOWN}


def test_no_agent_stays_in_memory() -> None:
    platforms = Platforms()
    assert platforms.of(f"{WINDOWS} Firefox/140.0 canary-agent", "canary-hint", "canary-mobile").os == "windows"
    held = texts_within(platforms)
    assert "windows" in held  # the search finds what is there
    assert "canary" not in held

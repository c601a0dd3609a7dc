"""What a caller runs, in the coarsest useful words: system, browser, device class; and whether it is a known bot.

The agent is parsed by ua-parser's rules and matched against the patterns of crawler-user-agents, both by the same
compiled matcher (ua_parser_rs: 1,500 patterns at once in 3 us; the library's own loop takes 120). Only the first 400
characters are ever looked at. The low-entropy hints a browser sends unasked refine the answer; none is ever requested.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from ua_parser import Domain, load_lazy_builtins
from ua_parser.regex import Resolver
from ua_parser_rs import UserAgentExtractor

from collector.cell import UNKNOWN
from collector.reduce.memo import Memo

_LOOKED_AT = 400  # characters of an agent
_REMEMBERED = 16_384
_ABSENT = ("", "-")  # "-" is how logs and some proxies write an absent agent

_LINUX = (
    "arch linux|centos|debian|fedora|gentoo|gnome os|kubuntu|linux|linux mint|lubuntu|mageia|mandriva|manjaro|"
    "opensuse|pclinuxos|puppy|raspbian|red hat|slackware|steamos|suse|ubuntu|vectorlinux|xubuntu"
)
_SYSTEMS = {
    "windows": "windows",
    "mac os": "macos",
    "mac os x": "macos",
    "android": "android",
    "ios": "ios",
    "ipados": "ios",
    "chrome os": "chromeos",
    **dict.fromkeys(_LINUX.split("|"), "linux"),
}

_BROWSERS = {
    "chrome": "chrome",
    "chrome mobile": "chrome",
    "chrome mobile ios": "chrome",
    "chrome mobile webview": "chrome",
    "chrome frame": "chrome",
    "chromium": "chrome",
    "safari": "safari",
    "mobile safari": "safari",
    "mobile safari ui/wkwebview": "safari",
    "edge": "edge",
    "edge mobile": "edge",
    "iceweasel": "firefox",  # Firefox as Debian had to call it
    "samsung internet": "samsung",
    "ie": "ie",
    "ie mobile": "ie",
    "ie large screen": "ie",
}
_BROWSER_LINES = {"firefox": "firefox", "opera": "opera"}  # Firefox iOS, Firefox (Minefield), Opera Mini, Opera GX ...

_PHONE_SYSTEM = re.compile(
    r"bada|blackberry os|brew mp|firefox os|kaios|maemo|meego|nokia series .*|symbian.*|windows mobile|windows phone"
)
_DESK_SYSTEMS = frozenset({"freebsd", "netbsd", "openbsd", "solaris"})
_SCREENS = re.compile(r"TV\b|BRAVIA|\bAFT[A-Z]|CrKey|Chromecast|Xbox|PlayStation|Nintendo")  # televisions and consoles
_PHONES = re.compile(r"Mobi|Opera Mini|MIDP|Phone")

# Sec-CH-UA-Platform as sent, quotes included (User-Agent Client Hints, 3.9)
_PLATFORM_HINTS = {
    '"Windows"': "windows",
    '"macOS"': "macos",
    '"Linux"': "linux",
    '"Android"': "android",
    '"iOS"': "ios",
    '"Chrome OS"': "chromeos",
    '"Chromium OS"': "chromeos",
}


class Platform(NamedTuple):
    """Words of the vocabularies os, device and browser, or "(unknown)"; and whether the agent is a known bot's."""

    os: str
    device: str
    browser: str
    bot: bool


_NO_AGENT = Platform(UNKNOWN, UNKNOWN, UNKNOWN, bot=False)


class Platforms:
    """Tells platforms; built once per worker (about 0.1 s with warm)."""

    def __init__(self) -> None:
        agents, systems, _ = load_lazy_builtins()
        # Not ua_parser.parse: its cache keeps agents. Nor its devices: nobody asks, and they take 14 MB and 0.15 s.
        self._parse = Resolver((agents, systems, []))
        self._crawler = UserAgentExtractor(
            (crawler["pattern"], "bot", None, None, None, None) for crawler in CRAWLER_USER_AGENTS_DATA
        ).extract
        self._memo: Memo[Platform] = Memo(_REMEMBERED)

    def warm(self) -> None:
        """Pay for the first use of the matchers now, not in the first request."""
        self._told("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "", "")

    def of(self, agent: str, platform_hint: str = "", mobile_hint: str = "") -> Platform:
        """The platform behind a User-Agent, Sec-CH-UA-Platform and Sec-CH-UA-Mobile, all as they were sent."""
        agent = agent[:_LOOKED_AT]
        hashed = hash((agent, platform_hint, mobile_hint))
        return self._memo.get(hashed) or self._memo.put(hashed, self._told(agent, platform_hint, mobile_hint))

    def _told(self, agent: str, platform_hint: str, mobile_hint: str) -> Platform:
        agent = _legible(agent).strip()
        if agent in _ABSENT:
            return _NO_AGENT
        parsed = self._parse(agent, Domain.OS | Domain.USER_AGENT)
        family = parsed.os.family.lower() if parsed.os else ""
        os = _PLATFORM_HINTS.get(platform_hint) or _system(family)
        return Platform(
            os=os,
            device=_device(os, family, agent, mobile_hint),
            browser=_browser(parsed.user_agent.family.lower() if parsed.user_agent else ""),
            bot=self._crawler(agent) is not None,
        )


def _legible(agent: str) -> str:
    """The agent without the surrogates that stand for header bytes outside UTF-8: the matcher takes none."""
    return agent if agent.isascii() else agent.encode("utf-8", "replace").decode()


def _system(family: str) -> str:
    if family in ("", "other"):
        return UNKNOWN
    return _SYSTEMS.get(family, "other")


def _browser(family: str) -> str:
    if family in ("", "other"):
        return UNKNOWN
    return _BROWSERS.get(family) or _BROWSER_LINES.get(family.partition(" ")[0], "other")


def _device(os: str, family: str, agent: str, mobile_hint: str) -> str:
    if _SCREENS.search(agent):
        return "other"
    if os in ("ios", "android"):
        return _handheld(os, agent, mobile_hint)
    if mobile_hint == "?1" or _PHONE_SYSTEM.fullmatch(family):
        return "mobile"
    if os in ("windows", "macos", "linux", "chromeos") or family in _DESK_SYSTEMS:
        return "desktop"
    if _PHONES.search(agent):
        return "mobile"
    return UNKNOWN if os == UNKNOWN else "other"


def _handheld(os: str, agent: str, mobile_hint: str) -> str:
    if os == "ios":
        return "tablet" if "iPad" in agent else "mobile"
    if mobile_hint in ("?0", "?1"):
        return "mobile" if mobile_hint == "?1" else "tablet"
    is_phone = "Tablet" not in agent and (_PHONES.search(agent) or not agent.startswith("Mozilla/"))
    return (
        "mobile" if is_phone else "tablet"
    )  # browsers on phones say Mobile, those on tablets do not; apps say neither

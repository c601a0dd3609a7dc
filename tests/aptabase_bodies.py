"""Bodies as SDKs of Aptabase send them, and as they do not, with what is to become of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

KEY = "A-SH-0000000001"
OTHER_KEY = "A-EU-1234567890"
CONFIGURATION = f"""
[[product]]
id = "player"
versions = ["1.4.2", "2.0.0-beta.1"]
features = ["start", "subtitles"]

[[product]]
id = "remote"
channels = ["nightly"]

[[aptabase]]
key = "{KEY}"
product = "player"
event = [
  {{name = "started", kind = "feature_use", feature = "start"}},
  {{name = "Subtitles on", kind = "feature_use", feature = "subtitles", count = 3}},
  {{name = "installed", kind = "install"}},
  {{name = "install_failed", kind = "install", outcome = "failed"}},
  {{name = "checked", kind = "update_check"}},
]

[[aptabase]]
key = "{OTHER_KEY}"
product = "remote"
channel = "nightly"
event = [{{name = "started", kind = "update_check"}}]
"""
CANARY = "Canary7f3a91"  # in every field that is not read
SYSTEM: dict[str, Any] = {
    "isDebug": False,
    "osName": "Windows",
    "osVersion": CANARY,
    "locale": CANARY,
    "appVersion": "1.4.2",
    "appBuildNumber": CANARY,
    "engineName": CANARY,
    "engineVersion": CANARY,
    "sdkVersion": CANARY,
    "deviceModel": CANARY,
}


class Body(NamedTuple):
    """What is sent under a key, and what the metrics gain, as "refused wrong_type"; several words: several events."""

    why: str
    sent: Any
    gains: tuple[str, ...]
    key: str = KEY


def event(name: Any = "started", system: Any = None, **changed: Any) -> dict[str, Any]:
    """A good event but for what is changed; a field that is `...` is left out."""
    fields = {
        "timestamp": "2026-11-25T23:59:59.000Z",
        "sessionId": CANARY,
        "eventName": name,
        "systemProps": {**SYSTEM, **system} if isinstance(system, dict) else SYSTEM if system is None else system,
        "props": {"file": CANARY},
        **changed,
    }
    if isinstance(told := fields["systemProps"], dict):
        fields["systemProps"] = {field: value for field, value in told.items() if value is not ...}
    return {field: value for field, value in fields.items() if value is not ...}


def folded(value: Any, spell: Any) -> Any:
    """The same with its fields' names spelled another way."""
    return {spell(name): folded(held, spell) for name, held in value.items()} if isinstance(value, dict) else value


def any_of(values: Iterable[Any]) -> tuple[Any, ...]:
    """Values that have no type in common."""
    return tuple(values)


USED, INSTALLED, CHECKED = "accepted feature_use", "accepted install", "accepted update_check"
TEST, UNMAPPED = "not_counted test", "not_counted unmapped"
WRONG, MISSING, PATTERN = "refused wrong_type", "refused missing", "refused bad_pattern"
UNREAD = ("timestamp", "sessionId", "props")
ODD = any_of([..., None, 7, True, [], {}, "", CANARY * 1000, {CANARY: [CANARY]}])

BODIES: list[Body] = [
    Body("a feature", event(), (USED,)),
    Body("an install", event("installed"), (INSTALLED,)),
    Body("a failed install", event("install_failed"), (INSTALLED,)),
    Body("an update check", event("checked"), (CHECKED,)),
    Body("another app's event of the same name", event(), (CHECKED,), OTHER_KEY),
    Body("another app's event", event("installed"), (UNMAPPED,), OTHER_KEY),
    Body("an array of one", [event()], (USED,)),
    Body("an array of none", [], ()),
    Body(
        "two good among bad", [7, event(), event(7), event("installed"), None], (WRONG, USED, WRONG, INSTALLED, WRONG)
    ),
    Body("25 events", [event()] * 25, (USED,) * 25),
    Body("26 events", [event()] * 26, (*(USED,) * 25, "refused too_many")),
    Body(
        "100 events, 25 of them unmapped",
        [event("x")] * 25 + [event()] * 75,
        (UNMAPPED,) * 25 + ("refused too_many",) * 75,
    ),
    # names
    Body("an unmapped name", event("stopped"), (UNMAPPED,)),
    Body("a name in another case", event("Started"), (UNMAPPED,)),
    Body("an empty name", event(""), (UNMAPPED,)),
    Body("a name of 61 characters", event("x" * 61), (UNMAPPED,)),
    Body("an endless name", event(CANARY * 1000), (UNMAPPED,)),
    *(
        Body(f"a name that is {odd!r}", event(odd), (WRONG,))
        for odd in any_of([..., None, 7, True, [], {}, ["started"]])
    ),
    # fields in any case
    Body("names in lower case", folded(event("installed"), str.lower), (INSTALLED,)),
    Body("names in upper case", folded(event("installed"), str.upper), (INSTALLED,)),
    Body("names in another case", folded(event("installed"), str.swapcase), (INSTALLED,)),
    Body("timeStamp", event(timeStamp=CANARY), (USED,)),
    Body(
        "unknown fields", event(**{CANARY: CANARY, "": None, "kind": CANARY, "product": CANARY, "age_s": -1}), (USED,)
    ),
    *(Body(f"{field} {str(odd)[:20]!r}", event(**{field: odd}), (USED,)) for field in UNREAD for odd in ODD),
    # system
    *(Body(f"systemProps {odd!r}", event(system=odd), (WRONG,)) for odd in (7, True, "x", ["isDebug"])),
    *(
        Body(f"systemProps {odd!r}", event(systemProps=odd), (WRONG,))
        for odd in any_of([[], "", 0, False, CANARY * 1000])
    ),
    *(
        Body(f"systemProps {odd!r}", event(systemProps=odd), (USED,))
        for odd in any_of([..., None, {}, {CANARY: CANARY}])
    ),
    Body("an install without systemProps", event("installed", systemProps=...), (MISSING,)),
    *(Body(f"locale {odd!r:.20}", event("checked", {"locale": odd, "deviceModel": odd}), (CHECKED,)) for odd in ODD),
    # isDebug
    Body("debug", event(system={"isDebug": True}), (TEST,)),
    Body("a debug install", event("installed", {"isDebug": True}), (TEST,)),
    Body("an unmapped debug event", event("stopped", {"isDebug": True}), (UNMAPPED,)),
    Body("ISDEBUG", folded(event(system={"isDebug": True}), str.upper), (TEST,)),
    *(Body(f"isDebug {odd!r}", event(system={"isDebug": odd}), (USED,)) for odd in any_of([..., None, False])),
    *(
        Body(f"isDebug {odd!r}", event(system={"isDebug": odd}), (WRONG,))
        for odd in any_of(["true", "false", 1, 0, [], ""])
    ),
    # versions
    Body("an undeclared version", event("checked", {"appVersion": "9.9"}), (CHECKED,)),
    Body("a version with build", event("checked", {"appVersion": f"1.4.2+{CANARY}"}), (CHECKED,)),
    Body("a version with v", event("checked", {"appVersion": "v1.4.2"}), (CHECKED,)),
    Body("a version before a release", event("checked", {"appVersion": "2.0.0-beta.1+7"}), (CHECKED,)),
    *(Body(f"appVersion {odd!r}", event("checked", {"appVersion": odd}), (MISSING,)) for odd in any_of([..., None])),
    *(
        Body(f"appVersion {odd!r}", event("checked", {"appVersion": odd}), (WRONG,))
        for odd in any_of([7, 1.4, True, [], {}])
    ),
    *(
        Body(f"appVersion {odd!r:.20}", event("checked", {"appVersion": odd}), (PATTERN,))
        for odd in ("", "1", "+1.4.2", "vv1.4.2", "1.4.2 (7)", "1.4.2\n", CANARY, CANARY * 1000, "1.4.2-x" + CANARY)
    ),
    Body("a feature of an app without a version", event(system={"appVersion": ""}), (USED,)),
    # what is no body of an SDK
    *(
        Body(f"no JSON: {body!r}", body, ("refused not_json",))
        for body in (b"", b"{", b"null", b"1", b'"started"', b"\xff", b'{"props":{"x":NaN}}', b"[" + b"1," * 9)
    ),
    Body("an endless body", b"[" + b" " * 262_144 + b"]", ("refused out_of_bounds",)),
]

SYSTEMS = {
    "Windows": "windows",
    "Windows NT": "windows",
    "WINDOWS": "windows",
    "macOS": "macos",
    "Mac OS X": "macos",
    "Darwin": "macos",
    "Mac Catalyst": "macos",
    "iOS": "ios",
    "iPadOS": "ios",
    "iPhone OS": "ios",
    "Android": "android",
    "Linux": "linux",
    "Ubuntu": "linux",
    "Debian GNU/Linux": "linux",
    "Fedora Linux": "linux",
    "Arch Linux": "linux",
    "openSUSE Tumbleweed": "linux",
    "Pop!_OS": "linux",
    "Flatpak": "linux",
    "ChromeOS": "chromeos",
    "Chrome OS": "chromeos",
    "Chromium OS": "chromeos",
    "tvOS": "other",
    "visionOS": "other",
    "FreeBSD": "other",
    CANARY: "other",
    "": "other",
    "x" * 100 + "Windows": "other",
}

"""What holds for every form of an update check: hostile flags, versions nobody can read, what an answer never holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from collector.tools.wire import request, say
from tests.counting import gained_by
from tests.hostile_flags import HOSTILE_FLAGS, HOSTILE_VERSIONS
from tests.offered import HOSTILE, SETUP, SHARED
from tests.stack import Stack
from tests.updating import NEW, OLD, cells, from_networks

WINDOWS = "os=windows&arch=x86_64&ch=stable"


def addresses(below: str, version: str, flags: str) -> list[tuple[str, int]]:
    """Every form of a check, with what it is answered; all of an older version or of none that can be read."""
    name = below.split("/")[2]
    in_path = quote(f"v={version},{flags}".replace("&", ","), safe="=,%{}[]")
    return [
        (f"/v1/check?product={name}&os=windows&arch=x86_64&v={version}&{flags}", 200),
        (f"{below}/appcast.xml?v={version}&{flags}", 200),
        (f"{below}/electron/latest.yml?v={version}&{flags}", 200),
        (f"{below}/tauri/latest.json?v={version}&{flags}", 200),
        (f"{below}/tauri/windows/x86_64/{version or '-'}?{flags}", 200),
        (f"{below}/velopack/{in_path}/releases.win.json?id=1&stagingId=2", 200),
    ]


def ask(offering: Stack, path: str, **headers: str) -> Any:
    return say(offering.public, request(method="GET", path=path, headers=headers))


def test_hostile_flags_change_neither_the_answer_nor_what_is_counted(offering: Stack) -> None:
    good = [ask(offering, path).body for path, _ in addresses(HOSTILE, OLD, "test=1")]
    checks = [addresses(HOSTILE, OLD, flags) for flags in HOSTILE_FLAGS]
    assert len(HOSTILE_FLAGS) >= 60

    def send() -> None:
        for forms in checks:
            for (path, status), body in zip(forms, good, strict=True):
                said = ask(offering, path)
                assert (said.status, said.body) == (status, body), path

    events = sum(len(forms) for forms in checks)
    assert gained_by(offering, send, events)["accepted update_check"] == events
    from_networks(offering, f"{HOSTILE}/appcast.xml?v={OLD}")
    assert cells(offering, "hostile", "update_checks", "version", "channel") == {(OLD, "stable"): events + 9}
    assert cells(offering, "hostile", "active", "first") == {}


def test_a_check_of_an_unreadable_version_is_answered_and_not_counted(offering: Stack) -> None:
    checks = [each for version in HOSTILE_VERSIONS for each in addresses(HOSTILE, version, "first=dwme")]

    def send() -> None:
        for path, status in checks:
            assert ask(offering, path).status == status, path

    gained = gained_by(offering, send, len(checks))
    assert gained["not_counted unmapped"] == len(checks)


def test_every_answer_tells_the_day_and_nothing_that_could_be_kept(offering: Stack) -> None:
    paths = [path for path, _ in addresses(SHARED, OLD, "test=1")]
    paths += [f"{SHARED}/electron/{SETUP['name']}", f"{SHARED}/electron/{SETUP['name']}.blockmap"]
    paths += [f"/v1/check?product=native&test=1&{WINDOWS}&v={NEW}"]
    for path in paths:
        reply = offering.request("GET", path, headers={"If-None-Match": "*", "Cookie": "a=b"})
        assert reply.headers["collector-day"] == str(datetime.now(UTC).date()), path
        assert reply.headers["cache-control"] == "no-store"
        assert not reply.headers.keys() & {"etag", "last-modified", "set-cookie", "date", "server", "expires"}
        assert reply.status in (200, 204, 302)


def test_head_and_who_opts_out_are_answered_alike_and_not_counted(offering: Stack) -> None:
    checks = addresses(SHARED, OLD, "first=d")

    def send() -> None:
        for path, status in checks:
            head = offering.request("HEAD", path)
            assert (head.status, head.body) == (status, b"")
            opted_out = offering.request("GET", path, headers={"Sec-GPC": "1"})
            assert (opted_out.status, opted_out.headers) == (status, head.headers)

    assert gained_by(offering, send, len(checks))["not_counted opt_out"] == len(checks)

"""The update check is the ping: each protocol is answered from releases, and counted by what the request itself says.

Electron and Velopack have their own clients in tests/clients/; here are our own form, appcasts and Tauri, replayed as
their updaters ask, and what holds for all of them.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import yaml

from tests.counting import gained_by
from tests.hostile_flags import HOSTILE_FLAGS, HOSTILE_VERSIONS
from tests.stack import Stack
from tests.updates_served import (
    FILES,
    HOSTILE,
    OLDER,
    SETUP,
    SHARED,
    SIGNED,
    SPARKLE,
    STORED,
    TAURI_TARGETS,
    addresses,
    ask,
    configuration,
    parsed,
    releases,
)
from tests.updating import (
    DATE,
    NEW,
    OLD,
    SIGNATURE,
    cells,
    configured,
    from_networks,
    hashes,
    told_of,
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One collector with every kind of release; tests that look at counts have a product of their own."""
    folder = tmp_path_factory.mktemp("updates")
    for channel, content in STORED.items():
        (folder / "feeds" / channel).mkdir(parents=True)
        (folder / "feeds" / channel / "appcast.xml").write_bytes(content)
    config = configured(folder, configuration(), releases())
    stack = Stack(folder, config=config.read_text("utf-8"))
    yield stack
    try:
        stack.stop()
    finally:
        stack.sweep()


# --- our own form -----------------------------------------------------------------------------------------------------


def test_a_check_is_answered_with_the_newest_release_and_counted(stack: Stack) -> None:
    path = f"/v1/check?product=native&v={OLD}&os=windows&arch=x86_64&ch=stable&first=dwme&age=0"
    reply = stack.request("GET", path)
    assert reply.status == 200
    told = {"name", "url", "size", "kind", *hashes(b""), "ed_signature", "tauri_signature", "blockmap_size"}
    assert (reply.json["version"], reply.json["date"], reply.json["critical"]) == (NEW, DATE, True)
    assert reply.json["files"] == [{**SIGNED, "kind": "full"}]
    assert reply.json["files"][0].keys() == told
    assert reply.headers["collector-day"] == str(datetime.now(UTC).date())
    from_networks(stack, path)
    assert cells(stack, "native", "update_checks", "version", "channel") == {(OLD, "stable"): 10}
    assert cells(stack, "native", "active_by_version", "first", "version") == {("dwme", OLD): 10}
    platforms = cells(stack, "native", "active_by_platform", "first", "os", "arch")
    assert platforms == {("dwme", "windows", "x86_64"): 10}
    assert cells(stack, "native", "retention", "age") == {("0",): 10}


WINDOWS = "os=windows&arch=x86_64&ch=stable"
VERSIONS = [
    *((WINDOWS, version, 200) for version in ("1.4.1", "1.4", "1.4.1.9", "0.99999", "1.4.2-beta.1", "1.4.2-rc")),
    *((WINDOWS, version, 204) for version in ("1.4.2", "1.4.2.0", "1.4.2.1", "1.4.10", "1.10", "2.0.0-beta.1")),
    *(("os=linux&ch=beta", version, 200) for version in ("1.9", "2.0.0-beta.9", "2.0.0-beta", "2.0.0-alpha.11")),
    *(("os=linux&ch=beta", version, 204) for version in ("2.0.0-beta.10", "2.0.0-beta.11", "2.0.0-rc.1", "2.0.0")),
    *((nowhere, OLD, 204) for nowhere in ("", "os=linux", "os=windows", "os=macos&arch=aarch64", "os=windows&ch=beta")),
]


@pytest.mark.parametrize(("where", "version", "status"), VERSIONS)
def test_only_an_older_version_is_told_of_a_newer_one(stack: Stack, where: str, version: str, status: int) -> None:
    assert stack.request("GET", f"/v1/check?product=native&test=1&v={version}&{where}").status == status


def test_a_product_without_releases_is_counted_all_the_same(stack: Stack) -> None:
    path = f"/v1/check?product=bare&v={OLD}"
    assert stack.request("GET", path).status == 204
    from_networks(stack, path)
    assert cells(stack, "bare", "update_checks", "version", "channel") == {(OLD, "stable"): 10}
    assert stack.request("GET", f"/v1/check?product=stored&v={OLD}").status == 204  # which channel nobody knows
    assert cells(stack, "stored", "update_checks", "version", "channel") == {}
    assert stack.request("GET", f"/v1/check?product=unheard&v={OLD}").status == 404
    assert stack.request("GET", "/v1/check").status == 404


# --- appcasts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", STORED)
def test_a_stored_appcast_is_served_byte_for_byte(stack: Stack, channel: str) -> None:
    path = f"/update/stored/macos/{channel}/appcast.xml?test=1&v={OLD}"
    reply = stack.request("GET", path)
    assert reply.body == STORED[channel]
    packed = stack.request("GET", path, headers={"Accept-Encoding": "br, GZIP;q=0.5"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == STORED[channel]
    assert "content-encoding" not in stack.request("GET", path, headers={"Accept-Encoding": "gzip;q=0, br"}).headers
    enclosure = parsed(reply.body).find("channel/item/enclosure")
    assert enclosure is not None
    assert enclosure.get(f"{SPARKLE}edSignature") == SIGNATURE


def test_an_appcast_is_made_of_releases(stack: Stack) -> None:
    items = parsed(stack.request("GET", f"{SHARED}/appcast.xml?test=1&v={OLD}").body).findall("channel/item")
    assert [item.findtext(f"{SPARKLE}shortVersionString") for item in items] == [NEW, OLD]
    newest = items[0]
    assert newest.findtext("pubDate") == "Fri, 20 Nov 2026 10:00:00 +0000"
    assert newest.findtext("description") == "Better <everywhere> & faster"
    assert newest.find(f"description[@{SPARKLE}format='plain-text']") is not None
    assert newest.findtext(f"{SPARKLE}releaseNotesLink") == f"{FILES}/notes"
    assert newest.find(f"{SPARKLE}criticalUpdate") is not None
    enclosure = newest.find("enclosure")
    assert enclosure is not None
    assert enclosure.attrib == {
        "url": SETUP["url"],
        "length": "5",
        "type": "application/octet-stream",
        f"{SPARKLE}os": "windows-x64",
        f"{SPARKLE}edSignature": SIGNATURE,
    }
    mac = parsed(stack.request("GET", f"/update/sparkle/macos/stable/appcast.xml?test=1&v={OLD}").body)
    said = {each.tag.removeprefix(SPARKLE): each.text for each in mac.iterfind("channel/item/*")}
    assert (said["version"], said["shortVersionString"]) == ("1042", NEW)
    assert (said["minimumSystemVersion"], said["phasedRolloutInterval"]) == ("13.0", "86400")


def test_sparkle_is_counted_by_its_agent_and_feed_parameters_and_its_profile_is_nowhere(stack: Stack) -> None:
    profile = {"model": "MacBookPro18x3y7z", "lang": "kl-canary-77", "appName": "Canary9f3Player"}
    parameters = "&".join(f"{key}={value}" for key, value in profile.items())
    path = f"/update/sparkle/macos/stable/appcast.xml?first=dw&age=13&osVersion=15.1.0&cputype=16777228&{parameters}"
    agent = {"User-Agent": f"My Canary9f3Player/{OLD} Sparkle/2.6.4", "Accept-Encoding": "gzip, deflate, br"}
    assert parsed(gzip.decompress(stack.request("GET", path, headers=agent).body)).tag == "rss"
    from_networks(stack, path, agent)
    assert cells(stack, "sparkle", "update_checks", "version", "channel") == {(OLD, "stable"): 10}
    assert cells(stack, "sparkle", "active_by_version", "first", "version") == {("dw", OLD): 10}
    platforms = cells(stack, "sparkle", "active_by_platform", "first", "os", "arch")
    assert platforms == {("dw", "macos", "(unknown)"): 10}
    assert cells(stack, "sparkle", "retention", "age") == {("13",): 10}
    assert told_of(stack, *profile.values()) == set()


@pytest.mark.parametrize(
    "agent", [f"Player/{NEW} WinSparkle/0.9.0 (Win64)", f"Player Pro/{NEW} WinSparkle/0.8.1 (WOW64)"]
)
def test_winsparkle_is_counted_by_its_agent_and_headers(stack: Stack, agent: str) -> None:
    path = "/update/winsparkle/windows-x86_64/stable/appcast.xml"
    before = cells(stack, "winsparkle", "update_checks", "version", "channel")
    headers = {"User-Agent": agent, "Collector-First": "dm", "Collector-Age": "5"}
    from_networks(stack, path, headers, networks=10)
    was = before.get((NEW, "stable"), 0)
    assert cells(stack, "winsparkle", "update_checks", "version", "channel") == {(NEW, "stable"): was + 10}
    platforms = cells(stack, "winsparkle", "active_by_platform", "first", "os", "arch")
    assert platforms == {("dm", "windows", "x86_64"): was + 10}


# --- electron-updater -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arch", "ending"), [("x86_64", ""), ("aarch64", "-arm64")])
def test_electron_updater_finds_the_files_of_its_processor(stack: Stack, arch: str, ending: str) -> None:
    for channel in ("latest", "stable"):
        reply = stack.request(
            "GET", f"/update/electron/linux/stable/electron/{channel}-linux{ending}.yml?test=1&v={OLD}"
        )
        told = yaml.safe_load(reply.body)
        known = {"size": 5, "sha512": SETUP["sha512"], "blockMapSize": 77}
        assert told["files"] == [{"url": f"p-{arch}.AppImage", **known}]
        assert (told["path"], told["sha512"]) == (f"p-{arch}.AppImage", SETUP["sha512"])
        assert (told["version"], told["releaseDate"]) == (NEW, "2026-11-20T10:00:00.000Z")
        assert (told["stagingPercentage"], told["minimumSystemVersion"]) == (25, "5.4")


def test_electron_updater_finds_nothing_where_nothing_is(stack: Stack) -> None:
    for name in ("latest.yml", "latest-mac.yml", "latest-linux-ia32.yml", "beta-linux.yml", "p.AppImage", "..%2fx", ""):
        assert stack.request("GET", f"/update/electron/linux/stable/electron/{name}?v={OLD}").status == 404, name


def test_a_file_leads_to_where_it_lies_and_is_a_download_if_it_is_fetched_whole(stack: Stack) -> None:
    file = f"{SHARED}/electron/{SETUP['name']}"
    parts = [("", "bytes=5-"), ("", "bytes=0-99, 200-300"), ("", "bytes=0-0"), (".blockmap", "")]

    def fetch() -> None:
        for ending, ranges in parts:
            reply = stack.request("GET", file + ending, headers={"Range": ranges} if ranges else {})
            assert (reply.status, reply.headers["location"]) == (302, SETUP["url"] + ending)
        assert stack.request("HEAD", file).headers["location"] == SETUP["url"]
        older = stack.request("GET", f"{SHARED}/electron/{OLDER['name']}.blockmap")
        assert older.headers["location"] == f"{OLDER['url']}.blockmap"
        assert stack.request("GET", f"{SHARED}/electron/{OLDER['name']}").status == 302  # not a declared download
        from_networks(stack, f"{file}?v={OLD}&first=dwm", {"Range": "bytes=0-"}, networks=5)
        from_networks(stack, f"{SHARED}/velopack/v={OLD}/{SETUP['name']}", networks=5)

    assert gained_by(stack, fetch, 13)["not_counted partial"] == 3
    assert cells(stack, "native", "downloads", "version", "file") == {(NEW, "setup.exe"): 10}


# --- Tauri ------------------------------------------------------------------------------------------------------------

TAURI = {"User-Agent": "tauri-plugin-updater/2.9.0", "Accept": "application/json"}


def test_tauri_is_told_of_what_is_newer_for_its_target_and_counted(stack: Stack) -> None:
    path = f"/update/tauri/windows-x86_64/stable/tauri/windows/x86_64/{OLD}?first=d&age=52"
    reply = stack.request("GET", path, headers=TAURI)
    said = {"version": NEW, "pub_date": DATE, "url": SETUP["url"], "signature": "dW50cnVzdGVk"}
    assert (reply.status, reply.json) == (200, said)
    from_networks(stack, path, TAURI)
    assert cells(stack, "tauri", "active_by_version", "first", "version") == {("d", OLD): 10}
    assert cells(stack, "tauri", "active_by_platform", "first", "os", "arch") == {("d", "windows", "x86_64"): 10}


@pytest.mark.parametrize(("platform", "asked", "status"), TAURI_TARGETS)
def test_tauri_is_told_of_nothing_else(stack: Stack, platform: str, asked: str, status: int) -> None:
    assert stack.request("GET", f"/update/tauri/{platform}/stable/tauri/{asked}?test=1").status == status


def test_tauris_static_form_lists_every_target(stack: Stack) -> None:
    told = stack.request("GET", f"/update/tauri/macos/stable/tauri/latest.json?v={OLD}&test=1").json
    offer = {"signature": "dW50cnVzdGVk", "url": f"{FILES}/app.zip"}
    assert told["platforms"] == {f"darwin-{arch}": offer for arch in ("x86_64", "aarch64", "i686", "armv7")}
    assert (told["version"], told["notes"], told["pub_date"]) == (NEW, "Better", DATE)


# --- all of them ------------------------------------------------------------------------------------------------------


def test_hostile_flags_change_neither_the_answer_nor_what_is_counted(stack: Stack) -> None:
    good = [ask(stack, path).body for path, _ in addresses(HOSTILE, OLD, "test=1")]
    checks = [addresses(HOSTILE, OLD, flags) for flags in HOSTILE_FLAGS]
    assert len(HOSTILE_FLAGS) >= 60

    def send() -> None:
        for forms in checks:
            for (path, status), body in zip(forms, good, strict=True):
                said = ask(stack, path)
                assert (said.status, said.body) == (status, body), path

    events = sum(len(forms) for forms in checks)
    assert gained_by(stack, send, events)["accepted update_check"] == events
    from_networks(stack, f"{HOSTILE}/appcast.xml?v={OLD}")
    assert cells(stack, "hostile", "update_checks", "version", "channel") == {(OLD, "stable"): events + 9}
    assert cells(stack, "hostile", "active", "first") == {}


def test_a_check_of_an_unreadable_version_is_answered_and_not_counted(stack: Stack) -> None:
    checks = [each for version in HOSTILE_VERSIONS for each in addresses(HOSTILE, version, "first=dwme")]

    def send() -> None:
        for path, status in checks:
            assert ask(stack, path).status == status, path

    gained = gained_by(stack, send, len(checks))
    assert gained["not_counted unmapped"] == len(checks)


def test_every_answer_tells_the_day_and_nothing_that_could_be_kept(stack: Stack) -> None:
    paths = [path for path, _ in addresses(SHARED, OLD, "test=1")]
    paths += [f"{SHARED}/electron/{SETUP['name']}", f"{SHARED}/electron/{SETUP['name']}.blockmap"]
    paths += [f"/v1/check?product=native&test=1&{WINDOWS}&v={NEW}"]
    for path in paths:
        reply = stack.request("GET", path, headers={"If-None-Match": "*", "Cookie": "a=b"})
        assert reply.headers["collector-day"] == str(datetime.now(UTC).date()), path
        assert reply.headers["cache-control"] == "no-store"
        assert not reply.headers.keys() & {"etag", "last-modified", "set-cookie", "date", "server", "expires"}
        assert reply.status in (200, 204, 302)


def test_head_and_who_opts_out_are_answered_alike_and_not_counted(stack: Stack) -> None:
    checks = addresses(SHARED, OLD, "first=d")

    def send() -> None:
        for path, status in checks:
            head = stack.request("HEAD", path)
            assert (head.status, head.body) == (status, b"")
            opted_out = stack.request("GET", path, headers={"Sec-GPC": "1"})
            assert (opted_out.status, opted_out.headers) == (status, head.headers)

    assert gained_by(stack, send, len(checks))["not_counted opt_out"] == len(checks)

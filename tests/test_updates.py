"""The update check is the ping: each protocol is answered from releases, and counted by what the request itself says.

Electron and Velopack have their own clients in tests/clients/; here are our own form, appcasts and Tauri, replayed as
their updaters ask; test_updates_alike.py has what
holds for all of them.
"""

from __future__ import annotations

import gzip
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest
import yaml

from tests.counting import gained_by
from tests.offered import FILES, OLDER, SETUP, SHARED, SIGNED, STORED
from tests.stack import Stack
from tests.updating import (
    DATE,
    NEW,
    OLD,
    SIGNATURE,
    cells,
    from_networks,
    hashes,
    told_of,
)

SPARKLE = "{http://www.andymatuschak.org/xml-namespaces/sparkle}"


def parsed(appcast: bytes) -> ET.Element:
    """An appcast as somebody else reads it."""
    return ET.fromstring(appcast)  # noqa: S314 - the test's own


# --- our own form -----------------------------------------------------------------------------------------------------


def test_a_check_is_answered_with_the_newest_release_and_counted(offering: Stack) -> None:
    path = f"/v1/check?product=native&v={OLD}&os=windows&arch=x86_64&ch=stable&first=dwme&age=0"
    reply = offering.request("GET", path)
    assert reply.status == 200
    told = {"name", "url", "size", "kind", *hashes(b""), "ed_signature", "tauri_signature", "blockmap_size"}
    assert (reply.json["version"], reply.json["date"], reply.json["critical"]) == (NEW, DATE, True)
    assert reply.json["files"] == [{**SIGNED, "kind": "full"}]
    assert reply.json["files"][0].keys() == told
    assert reply.headers["collector-day"] == str(datetime.now(UTC).date())
    from_networks(offering, path)
    assert cells(offering, "native", "update_checks", "version", "channel") == {(OLD, "stable"): 10}
    assert cells(offering, "native", "active_by_version", "first", "version") == {("dwme", OLD): 10}
    platforms = cells(offering, "native", "active_by_platform", "first", "os", "arch")
    assert platforms == {("dwme", "windows", "x86_64"): 10}
    assert cells(offering, "native", "retention", "age") == {("0",): 10}


WINDOWS = "os=windows&arch=x86_64&ch=stable"
VERSIONS = [
    *((WINDOWS, version, 200) for version in ("1.4.1", "1.4", "1.4.1.9", "0.99999", "1.4.2-beta.1", "1.4.2-rc")),
    *((WINDOWS, version, 204) for version in ("1.4.2", "1.4.2.0", "1.4.2.1", "1.4.10", "1.10", "2.0.0-beta.1")),
    *(("os=linux&ch=beta", version, 200) for version in ("1.9", "2.0.0-beta.9", "2.0.0-beta", "2.0.0-alpha.11")),
    *(("os=linux&ch=beta", version, 204) for version in ("2.0.0-beta.10", "2.0.0-beta.11", "2.0.0-rc.1", "2.0.0")),
    *((nowhere, OLD, 204) for nowhere in ("", "os=linux", "os=windows", "os=macos&arch=aarch64", "os=windows&ch=beta")),
]


@pytest.mark.parametrize(("where", "version", "status"), VERSIONS)
def test_only_an_older_version_is_told_of_a_newer_one(offering: Stack, where: str, version: str, status: int) -> None:
    assert offering.request("GET", f"/v1/check?product=native&test=1&v={version}&{where}").status == status


def test_a_product_without_releases_is_counted_all_the_same(offering: Stack) -> None:
    path = f"/v1/check?product=bare&v={OLD}"
    assert offering.request("GET", path).status == 204
    from_networks(offering, path)
    assert cells(offering, "bare", "update_checks", "version", "channel") == {(OLD, "stable"): 10}
    assert offering.request("GET", f"/v1/check?product=stored&v={OLD}").status == 204  # which channel nobody knows
    assert cells(offering, "stored", "update_checks", "version", "channel") == {}
    assert offering.request("GET", f"/v1/check?product=unheard&v={OLD}").status == 404
    assert offering.request("GET", "/v1/check").status == 404


# --- appcasts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", STORED)
def test_a_stored_appcast_is_served_byte_for_byte(offering: Stack, channel: str) -> None:
    path = f"/update/stored/macos/{channel}/appcast.xml?test=1&v={OLD}"
    reply = offering.request("GET", path)
    assert reply.body == STORED[channel]
    packed = offering.request("GET", path, headers={"Accept-Encoding": "br, GZIP;q=0.5"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == STORED[channel]
    assert "content-encoding" not in offering.request("GET", path, headers={"Accept-Encoding": "gzip;q=0, br"}).headers
    enclosure = parsed(reply.body).find("channel/item/enclosure")
    assert enclosure is not None
    assert enclosure.get(f"{SPARKLE}edSignature") == SIGNATURE


def test_an_appcast_is_made_of_releases(offering: Stack) -> None:
    items = parsed(offering.request("GET", f"{SHARED}/appcast.xml?test=1&v={OLD}").body).findall("channel/item")
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
    mac = parsed(offering.request("GET", f"/update/sparkle/macos/stable/appcast.xml?test=1&v={OLD}").body)
    said = {each.tag.removeprefix(SPARKLE): each.text for each in mac.iterfind("channel/item/*")}
    assert (said["version"], said["shortVersionString"]) == ("1042", NEW)
    assert (said["minimumSystemVersion"], said["phasedRolloutInterval"]) == ("13.0", "86400")


def test_sparkle_is_counted_by_its_agent_and_feed_parameters_and_its_profile_is_nowhere(offering: Stack) -> None:
    profile = {"model": "MacBookPro18x3y7z", "lang": "kl-canary-77", "appName": "Canary9f3Player"}
    parameters = "&".join(f"{key}={value}" for key, value in profile.items())
    path = f"/update/sparkle/macos/stable/appcast.xml?first=dw&age=13&osVersion=15.1.0&cputype=16777228&{parameters}"
    agent = {"User-Agent": f"My Canary9f3Player/{OLD} Sparkle/2.6.4", "Accept-Encoding": "gzip, deflate, br"}
    assert parsed(gzip.decompress(offering.request("GET", path, headers=agent).body)).tag == "rss"
    from_networks(offering, path, agent)
    assert cells(offering, "sparkle", "update_checks", "version", "channel") == {(OLD, "stable"): 10}
    assert cells(offering, "sparkle", "active_by_version", "first", "version") == {("dw", OLD): 10}
    platforms = cells(offering, "sparkle", "active_by_platform", "first", "os", "arch")
    assert platforms == {("dw", "macos", "(unknown)"): 10}
    assert cells(offering, "sparkle", "retention", "age") == {("13",): 10}
    assert told_of(offering, *profile.values()) == set()


@pytest.mark.parametrize(
    "agent", [f"Player/{NEW} WinSparkle/0.9.0 (Win64)", f"Player Pro/{NEW} WinSparkle/0.8.1 (WOW64)"]
)
def test_winsparkle_is_counted_by_its_agent_and_headers(offering: Stack, agent: str) -> None:
    path = "/update/winsparkle/windows-x86_64/stable/appcast.xml"
    before = cells(offering, "winsparkle", "update_checks", "version", "channel")
    headers = {"User-Agent": agent, "Collector-First": "dm", "Collector-Age": "5"}
    from_networks(offering, path, headers, networks=10)
    was = before.get((NEW, "stable"), 0)
    assert cells(offering, "winsparkle", "update_checks", "version", "channel") == {(NEW, "stable"): was + 10}
    platforms = cells(offering, "winsparkle", "active_by_platform", "first", "os", "arch")
    assert platforms == {("dm", "windows", "x86_64"): was + 10}


# --- electron-updater -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arch", "ending"), [("x86_64", ""), ("aarch64", "-arm64")])
def test_electron_updater_finds_the_files_of_its_processor(offering: Stack, arch: str, ending: str) -> None:
    for channel in ("latest", "stable"):
        reply = offering.request(
            "GET", f"/update/electron/linux/stable/electron/{channel}-linux{ending}.yml?test=1&v={OLD}"
        )
        told = yaml.safe_load(reply.body)
        known = {"size": 5, "sha512": SETUP["sha512"], "blockMapSize": 77}
        assert told["files"] == [{"url": f"p-{arch}.AppImage", **known}]
        assert (told["path"], told["sha512"]) == (f"p-{arch}.AppImage", SETUP["sha512"])
        assert (told["version"], told["releaseDate"]) == (NEW, "2026-11-20T10:00:00.000Z")
        assert (told["stagingPercentage"], told["minimumSystemVersion"]) == (25, "5.4")


def test_electron_updater_finds_nothing_where_nothing_is(offering: Stack) -> None:
    for name in ("latest.yml", "latest-mac.yml", "latest-linux-ia32.yml", "beta-linux.yml", "p.AppImage", "..%2fx", ""):
        assert offering.request("GET", f"/update/electron/linux/stable/electron/{name}?v={OLD}").status == 404, name


def test_a_file_leads_to_where_it_lies_and_is_a_download_if_it_is_fetched_whole(offering: Stack) -> None:
    file = f"{SHARED}/electron/{SETUP['name']}"
    parts = [("", "bytes=5-"), ("", "bytes=0-99, 200-300"), ("", "bytes=0-0"), (".blockmap", "")]

    def fetch() -> None:
        for ending, ranges in parts:
            reply = offering.request("GET", file + ending, headers={"Range": ranges} if ranges else {})
            assert (reply.status, reply.headers["location"]) == (302, SETUP["url"] + ending)
        assert offering.request("HEAD", file).headers["location"] == SETUP["url"]
        older = offering.request("GET", f"{SHARED}/electron/{OLDER['name']}.blockmap")
        assert older.headers["location"] == f"{OLDER['url']}.blockmap"
        assert offering.request("GET", f"{SHARED}/electron/{OLDER['name']}").status == 302  # not a declared download
        from_networks(offering, f"{file}?v={OLD}&first=dwm", {"Range": "bytes=0-"}, networks=5)
        from_networks(offering, f"{SHARED}/velopack/v={OLD}/{SETUP['name']}", networks=5)

    assert gained_by(offering, fetch, 13)["not_counted partial"] == 3
    assert cells(offering, "native", "downloads", "version", "file") == {(NEW, "setup.exe"): 10}


# --- Tauri ------------------------------------------------------------------------------------------------------------

TAURI = {"User-Agent": "tauri-plugin-updater/2.9.0", "Accept": "application/json"}


def test_tauri_is_told_of_what_is_newer_for_its_target_and_counted(offering: Stack) -> None:
    path = f"/update/tauri/windows-x86_64/stable/tauri/windows/x86_64/{OLD}?first=d&age=52"
    reply = offering.request("GET", path, headers=TAURI)
    said = {"version": NEW, "pub_date": DATE, "url": SETUP["url"], "signature": "dW50cnVzdGVk"}
    assert (reply.status, reply.json) == (200, said)
    from_networks(offering, path, TAURI)
    assert cells(offering, "tauri", "active_by_version", "first", "version") == {("d", OLD): 10}
    assert cells(offering, "tauri", "active_by_platform", "first", "os", "arch") == {("d", "windows", "x86_64"): 10}


@pytest.mark.parametrize(
    ("platform", "asked", "status"),
    [
        ("windows-x86_64", f"windows/x86_64/{NEW}", 204),
        ("windows-x86_64", "windows/x86_64/9.9.9", 204),
        ("windows-x86_64", f"windows/aarch64/{OLD}", 204),
        ("windows-x86_64", f"linux/x86_64/{OLD}", 204),
        ("windows-x86_64", f"amiga/m68k/{OLD}", 204),
        ("macos", f"darwin/aarch64/{OLD}", 200),
        ("macos", f"darwin/x86_64/{OLD}", 200),
        ("macos", f"darwin/x86_64/{OLD}/more", 404),
        ("beos", f"darwin/x86_64/{OLD}", 404),
    ],
)
def test_tauri_is_told_of_nothing_else(offering: Stack, platform: str, asked: str, status: int) -> None:
    assert offering.request("GET", f"/update/tauri/{platform}/stable/tauri/{asked}?test=1").status == status


def test_tauris_static_form_lists_every_target(offering: Stack) -> None:
    told = offering.request("GET", f"/update/tauri/macos/stable/tauri/latest.json?v={OLD}&test=1").json
    offer = {"signature": "dW50cnVzdGVk", "url": f"{FILES}/app.zip"}
    assert told["platforms"] == {f"darwin-{arch}": offer for arch in ("x86_64", "aarch64", "i686", "armv7")}
    assert (told["version"], told["notes"], told["pub_date"]) == (NEW, "Better", DATE)

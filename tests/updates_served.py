"""Releases and feeds of several products, as the tests of update protocols have them served, and how they are asked."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import quote

from collector.catalogue.releases import Place
from collector.tools.wire import request, say
from tests.stack import Stack
from tests.updating import (
    NEW,
    OLD,
    SIGNATURE,
    feed,
    hashes,
    product,
    release,
)

SPARKLE = "{http://www.andymatuschak.org/xml-namespaces/sparkle}"
FILES = "https://files.example.net"
SETUP = {"name": f"setup-{NEW}.exe", "url": f"{FILES}/setup-{NEW}.exe", **hashes(b"setup")}
SIGNED = {**SETUP, "ed_signature": SIGNATURE, "tauri_signature": "dW50cnVzdGVk", "blockmap_size": 77}
OLDER = {**SIGNED, "name": f"setup-{OLD}.exe", "url": f"{FILES}/setup-{OLD}.exe"}
APPCAST = (
    '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0" '
    'xmlns:sparkle="http://www.andymatuschak.org/xml-namespaces/sparkle"><channel><title>Player</title><item>'
    f'<sparkle:version>{NEW}</sparkle:version><enclosure url="{FILES}/p.zip" length="5" '
    f'type="application/octet-stream" sparkle:edSignature="{SIGNATURE}"/></item></channel></rss>\n'
    f"<!-- sparkle-signatures:\nedSignature: {SIGNATURE}\nlength: 500\n-->"
)
STORED = {
    "plain": APPCAST.encode(),
    "crlf": APPCAST.replace("\n", "\r\n").encode(),
    "bom": b"\xef\xbb\xbf" + APPCAST.encode(),
    "comments": APPCAST.replace("<channel>", "<channel><!-- \t two  spaces -->\n\n").encode() + b"\n\n\n",
    "latin": APPCAST.replace("utf-8", "iso-8859-1").replace("Player", "Pläyer").encode("latin-1"),
    "cr": APPCAST.replace("\n", "\r").encode(),
}
HOSTILE = "/update/hostile/windows-x86_64/stable"
SHARED = "/update/native/windows-x86_64/stable"

TAURI_TARGETS = [
    ("windows-x86_64", f"windows/x86_64/{NEW}", 204),
    ("windows-x86_64", "windows/x86_64/9.9.9", 204),
    ("windows-x86_64", f"windows/aarch64/{OLD}", 204),
    ("windows-x86_64", f"linux/x86_64/{OLD}", 204),
    ("windows-x86_64", f"amiga/m68k/{OLD}", 204),
    ("macos", f"darwin/aarch64/{OLD}", 200),
    ("macos", f"darwin/x86_64/{OLD}", 200),
    ("macos", f"darwin/x86_64/{OLD}/more", 404),
    ("beos", f"darwin/x86_64/{OLD}", 404),
]


def configuration() -> str:
    text = product("native", {"setup.exe": SETUP["url"]}) + product("hostile") + product("bare")
    text += product("sparkle") + product("winsparkle") + product("tauri") + product("electron")
    return text + product("stored", channels=list(STORED))


def releases() -> str:
    text = ""
    for name in ("native", "hostile", "winsparkle"):
        place = Place(name, "windows-x86_64", "stable")
        text += release(place, OLDER, version=OLD) + release(
            place, SIGNED, notes="Better <everywhere> & faster", notes_url=f"{FILES}/notes", critical=True
        )
    text += release(Place("native", "linux", "beta"), SETUP, version="2.0.0-beta.10")
    app = {**SIGNED, "name": "app.zip", "url": f"{FILES}/app.zip"}
    mac = Place("sparkle", "macos", "stable")
    text += release(mac, app, build="1042", minimum_system="13.0", rollout_interval_s=86_400)
    text += release(Place("tauri", "macos", "stable"), app, notes="Better")
    text += release(Place("tauri", "windows-x86_64", "stable"), SIGNED)
    images = [{**SIGNED, "name": f"p-{arch}.AppImage", "url": f"{FILES}/{arch}", "arch": arch} for arch in ARCHS]
    text += release(Place("electron", "linux", "stable"), *images, rollout_percent=25, minimum_system="5.4")
    return text + "".join(feed(Place("stored", "macos", each), f"feeds/{each}/appcast.xml") for each in STORED)


ARCHS = ("x86_64", "aarch64")


def parsed(appcast: bytes) -> ET.Element:
    """An appcast as somebody else reads it."""
    return ET.fromstring(appcast)  # noqa: S314 - the test's own


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


def ask(stack: Stack, path: str, **headers: str) -> Any:
    return say(stack.public, request(method="GET", path=path, headers=headers))

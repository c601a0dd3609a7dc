"""What the tests of update checks offer: one product for each that looks at counts, with releases of every kind."""

from __future__ import annotations

from pathlib import Path

from collector.catalogue.releases import Place
from tests.stack import Stack
from tests.updating import NEW, OLD, SIGNATURE, configured, feed, hashes, product, release

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
ARCHS = ("x86_64", "aarch64")
HOSTILE = "/update/hostile/windows-x86_64/stable"
SHARED = "/update/native/windows-x86_64/stable"


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


def offering(folder: Path) -> Stack:
    """A collector that offers them."""
    for channel, content in STORED.items():
        (folder / "feeds" / channel).mkdir(parents=True)
        (folder / "feeds" / channel / "appcast.xml").write_bytes(content)
    return Stack(folder, config=configured(folder, configuration(), releases()).read_text("utf-8"))

"""Sparkle 2 and WinSparkle: the appcast of releases, and what their agents tell.

RSS 2.0 with Sparkle's namespace, newest first; each release offers its signed full files, or all full files where none
is signed. Deltas and signed feeds are for stored appcasts: whoever makes them makes the feed, too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.utils import format_datetime
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from collector.catalogue.releases import File, Release
from collector.updates.flags import Said, platform_of

NAME = "appcast.xml"
CONTENT_TYPE = "application/rss+xml"
NAMESPACE = "http://www.andymatuschak.org/xml-namespaces/sparkle"
register_namespace("sparkle", NAMESPACE)
# As <App>/<version> Sparkle/2.6.4, <App>/<version> WinSparkle/0.9.0 (Win64)
_AGENT = re.compile(r"[^/]*/(?P<v>[0-9A-Za-z.-]{1,40}) (?:Sparkle|WinSparkle)/[0-9A-Za-z.+-]{1,40}(?P<bits> \(\w+\))?")
# WOW64 is a 32-bit program on a 64-bit system: arch is the processor's.
_BITS = {" (Win64)": "x86_64", " (WOW64)": "x86_64"}
_WINDOWS = {"x86_64": "windows-x64", "i686": "windows-x86", "aarch64": "windows-arm64"}


def from_agent(agent: str) -> Said:
    """Version and processor, as far as the agent is one of these two programs' and tells them."""
    told = _AGENT.match(agent[:400])
    if told is None:
        return {}
    bits = _BITS.get(told["bits"] or "")
    return {"v": told["v"], **({"arch": bits} if bits else {})}


def appcast(product: str, releases: Sequence[Release]) -> bytes:
    """The feed of these releases, which are ordered newest first."""
    rss = Element("rss", {"version": "2.0"})
    channel = SubElement(rss, "channel")
    SubElement(channel, "title").text = product
    for release in releases:
        if release.full_files:
            _item(SubElement(channel, "item"), release)
    feed: bytes = tostring(rss, "utf-8", xml_declaration=True)
    return feed


def _item(item: Element, release: Release) -> None:
    SubElement(item, "title").text = release.version
    SubElement(item, "pubDate").text = format_datetime(release.date)
    SubElement(item, _sparkle("version")).text = release.build or release.version
    SubElement(item, _sparkle("shortVersionString")).text = release.version
    if release.minimum_system:
        SubElement(item, _sparkle("minimumSystemVersion")).text = release.minimum_system
    if release.notes_url:
        SubElement(item, _sparkle("releaseNotesLink")).text = release.notes_url
    if release.notes:
        SubElement(item, "description", {_sparkle("format"): "plain-text"}).text = release.notes
    if release.critical:
        SubElement(item, _sparkle("criticalUpdate"))
    if release.rollout_interval_s:
        SubElement(item, _sparkle("phasedRolloutInterval")).text = str(release.rollout_interval_s)
    signed = [each for each in release.full_files if each.ed_signature]
    for file in signed or release.full_files:
        SubElement(item, "enclosure", _enclosure(file, release))


def _enclosure(file: File, release: Release) -> dict[str, str]:
    os, arch = platform_of(release.place.platform)
    measure = _WINDOWS.get(file.arch or arch or "", os) if os == "windows" else os
    attributes = {"url": file.url, "length": str(file.size), "type": "application/octet-stream"}
    if os in ("windows", "macos"):
        attributes[_sparkle("os")] = measure
    if file.ed_signature:
        attributes[_sparkle("edSignature")] = file.ed_signature
    return attributes


def _sparkle(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"

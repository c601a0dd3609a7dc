"""Reads a site's own sitemap: the addresses of its pages, from files or over HTTP, an index and gzip included.

sitemaps.org, protocol 0.9. A file is read as if it came from a stranger: no document type, so that no entity can be
declared; sizes, numbers and times are bounded. Nothing is sent but requests for the files. Whatever is wrong is raised
as Misconfigured, in a sentence. Called by the command `collector routes`.

    50 MB a file, unpacked, and 50,000 addresses, as the protocol allows · an index names at most 50 files, and no index
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn
from urllib.parse import urlsplit
from xml.parsers import expat

import urllib3

from collector.errors import Misconfigured

MAX_BYTES = 50 * 1024 * 1024
MAX_ADDRESSES = 50_000
MAX_FILES = 50
TIMEOUT = urllib3.Timeout(connect=10.0, read=20.0)
REDIRECTS = urllib3.Retry(connect=0, read=0, redirect=5, status=0, other=0)

_GZIP = b"\x1f\x8b"
_WEB = ("http://", "https://")
_SITEMAP, _INDEX = "urlset", "sitemapindex"
_ENTRY = {_SITEMAP: "url", _INDEX: "sitemap"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """What one file lists: pages, or, if it is an index, other files."""

    is_index: bool
    addresses: list[str]


def addresses_in(source: str) -> Iterator[str]:
    """Every address of a page that a sitemap lists, or the sitemaps of an index do; `source` is a file or an address.

    What an index in a file names is looked for beside it first. Raises Misconfigured.
    """
    listed = _read(source)
    if not listed.is_index:
        yield from listed.addresses
        return
    if len(listed.addresses) > MAX_FILES:
        raise Misconfigured(f"{_shown(source)}: names {len(listed.addresses)} sitemaps; at most {MAX_FILES} are read")
    for address in listed.addresses:
        named = _beside(source, address)
        inner = _read(named)
        if inner.is_index:
            raise Misconfigured(f"{_shown(named)}: is an index named by an index; only sitemaps may be")
        yield from inner.addresses


def _read(source: str) -> _Listed:
    shown = _shown(source)
    data = _fetched(source, shown) if source.lower().startswith(_WEB) else _file(source, shown)
    return _parsed(_unpacked(data, shown), shown)


def _beside(source: str, address: str) -> str:
    """What an index means by an address: a file of that name beside it, if the index is a file and there is one."""
    if not source.lower().startswith(_WEB):
        name = PurePosixPath(_path_of(address)).name
        if name and (file := Path(source).parent / name).is_file():
            return str(file)
    if not address.lower().startswith(_WEB):
        raise Misconfigured(f"{_shown(source)}: names a sitemap by what is no http or https address")
    return address


def _file(source: str, shown: str) -> bytes:
    try:
        with Path(source).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Misconfigured(f"{shown}: cannot be read: {error.strerror}") from None
    return _bounded(data, shown)


def _fetched(source: str, shown: str) -> bytes:
    with urllib3.PoolManager() as web:
        try:
            response = web.request("GET", source, preload_content=False, timeout=TIMEOUT, retries=REDIRECTS)
            data = response.read(MAX_BYTES + 1)
            response.close()
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise Misconfigured(f"{shown}: cannot be fetched ({_why(error)})") from None
    if response.status != 200:  # noqa: PLR2004 - HTTP's own number for "here it is"
        raise Misconfigured(f"{shown}: cannot be fetched (status {response.status})")
    return _bounded(data, shown)


def _why(error: Exception) -> str:
    """The kind of what went wrong, in words; its text may hold the whole address."""
    cause = getattr(error, "reason", None) or error
    if isinstance(cause, urllib3.exceptions.NewConnectionError):  # which is a TimeoutError, too
        return "nothing answers there"
    if isinstance(cause, urllib3.exceptions.TimeoutError):
        return "no answer in time"
    if isinstance(cause, urllib3.exceptions.SSLError):
        return "no trusted certificate"
    return type(cause).__name__


def _unpacked(data: bytes, shown: str) -> bytes:
    if not data.startswith(_GZIP):
        return data
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            return _bounded(packed.read(MAX_BYTES + 1), shown)
    except (OSError, EOFError, zlib.error):
        raise Misconfigured(f"{shown}: is damaged: it begins like gzip and cannot be unpacked") from None


def _bounded(data: bytes, shown: str) -> bytes:
    if len(data) > MAX_BYTES:
        raise Misconfigured(f"{shown}: is larger than {MAX_BYTES // (1024 * 1024)} MB, the most a sitemap may be")
    return data


def _parsed(data: bytes, shown: str) -> _Listed:
    parser = _Parser(shown)
    try:
        return parser.parse(data)
    except expat.ExpatError as error:
        raise Misconfigured(f"{shown}: is not XML (line {error.lineno})") from None


class _Parser:
    """Reads one file: the `loc` of each entry, of the namespace of the whole; images and translations have others."""

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._open: list[str] = []
        self._root = ""
        self._wanted: list[str] = []
        self._text: list[str] | None = None
        self._addresses: list[str] = []

    def parse(self, data: bytes) -> _Listed:
        """What the file lists; raises Misconfigured, and ExpatError where it is not XML."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.StartElementHandler = self._start
        parser.CharacterDataHandler = self._characters
        parser.EndElementHandler = self._end
        parser.Parse(data, True)  # noqa: FBT003 - takes no keywords
        return _Listed(is_index=self._root == _INDEX, addresses=self._addresses)

    def _refuse_doctype(self, *declared: object) -> NoReturn:
        raise Misconfigured(f"{self._shown}: declares a document type; a sitemap has none, and it is not read")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open:
            space, _, self._root = name.rpartition(" ")
            if self._root not in _ENTRY:
                raise Misconfigured(f"{self._shown}: is no sitemap: it begins with neither {_SITEMAP} nor {_INDEX}")
            prefix = f"{space} " if space else ""
            self._wanted = [name, prefix + _ENTRY[self._root], f"{prefix}loc"]
        self._open.append(name)
        if self._open == self._wanted:
            self._text = []

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, name: str) -> None:
        self._open.pop()
        if self._text is not None and len(self._open) < len(self._wanted):
            self._addresses.append("".join(self._text).strip())
            self._text = None
            if len(self._addresses) > MAX_ADDRESSES:
                raise Misconfigured(f"{self._shown}: lists more than {MAX_ADDRESSES:,} addresses, the most it may")


def _shown(source: str) -> str:
    """A source as it may stand in a message: of an address nothing but host and path."""
    if not source.lower().startswith(_WEB):
        return source
    scheme = source.partition("://")[0].lower()
    return f"{scheme}://{source.partition('://')[2].partition('/')[0].rpartition('@')[2]}{_path_of(source)}"


def _path_of(address: str) -> str:
    try:
        return urlsplit(address).path
    except ValueError:
        return ""

"""The shipped configurations of nginx and Caddy, really run: on free ports, with certificates of their own.

`run_nginx` and `run_caddy` change what an operator changes (names, ports, certificates, upstreams) and nothing else,
and fail if that is not where it was. Whatever a proxy writes lies in its folder. Requests may come from any address of
127.0.0.0/8, which is what the proxy then takes for the caller.
"""

from __future__ import annotations

import http.client
import os
import random
import re
import socket
import ssl
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.calling import Reply
from tests.requires import needs
from tests.stack import ROOT, eventually

DEPLOY = ROOT / "collector" / "deploy"
PUBLIC, ANALYST = "count.example.org", "analyst.example.org"
END_PATIENCE_S = 10.0

Edit = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstreams:
    """Where the collectors behind a proxy listen, as HOST:PORT."""

    public: Sequence[str]
    analyst: str


class Proxy:
    """A running nginx or Caddy; everything it says and writes is in `folder`."""

    def __init__(self, folder: Path, command: Sequence[str], environ: Mapping[str, str], authority: Path) -> None:
        self.folder = folder
        self._authority = authority
        with (folder / "said.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **environ}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.port = int(environ["TLS_PORT"])

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        source: str = "127.0.0.1",
        host: str = PUBLIC,
    ) -> Reply:
        """One request over TLS, its certificate verified, on a connection of its own from that address."""
        connection = http.client.HTTPConnection(host, timeout=20)
        connection.sock = self.tls(source=source, host=host)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            told = {name.lower(): text for name, text in response.getheaders()}
            return Reply(response.status, told, response.read())
        finally:
            connection.close()

    def tls(self, *, source: str = "127.0.0.1", host: str = PUBLIC, protocols: Sequence[str] = ()) -> ssl.SSLSocket:
        """A connection from that address."""
        context = ssl.create_default_context(cafile=str(self._authority))
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context.wrap_socket(self.plain(source), server_hostname=host)

    def plain(self, source: str) -> socket.socket:
        """The same without TLS."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(source, 0))

    def wait_ready(self) -> None:
        """Wait until it takes connections under both names."""

        def takes() -> bool:
            assert self.process.poll() is None, self.said
            try:
                for host in (PUBLIC, ANALYST):
                    self.tls(host=host).close()
            except (OSError, ssl.SSLError):
                return False
            return True

        eventually(takes, "the proxy takes connections")

    def stop(self) -> None:
        """End it, in order or not."""
        self.process.terminate()
        try:
            self.process.wait(END_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def said(self) -> str:
        """What it printed."""
        return (self.folder / "said.log").read_text("utf-8", "replace")


def run_nginx(folder: Path, upstreams: Upstreams, edit: Edit = str) -> Proxy:
    """An nginx with collector/deploy/nginx.conf."""
    needs("nginx", "openssl")
    certificate, key = _certificate(folder)
    tls, plain = free_port(), free_port()
    servers = "\n".join(f"        server {each} max_fails=1 fail_timeout=5s;" for each in upstreams.public)
    temporary = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = (DEPLOY / "nginx.conf").read_text("utf-8")
    for pattern, into in (
        (r"/etc/ssl/(?!private)\S+\.pem", str(certificate)),
        (r"/etc/ssl/private/\S+\.key", str(key)),
        (r"/run/nginx\.pid", str(folder / "nginx.pid")),
        (r"(?m)^ +server 127\.0\.0\.1:8080 .*\n +# server .*$", servers),
        (r"127\.0\.0\.1:8081", upstreams.analyst),
        (r"(listen (?:\[::\]:)?)443\b", rf"\g<1>{tls}"),
        (r"(listen (?:\[::\]:)?)80\b", rf"\g<1>{plain}"),
        (r"http \{\n", f"http {{\n{temporary}"),
        *([] if Path("/proc/net/if_inet6").exists() else [(r"listen \[::\].*", "")]),
    ):
        text = replaced(text, pattern, into)
    (folder / "nginx.conf").write_text(edit(text), "utf-8")
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    return _ready(Proxy(folder, command, {"TLS_PORT": str(tls)}, certificate))


def run_caddy(folder: Path, upstreams: Upstreams, edit: Edit = str) -> Proxy:
    """A Caddy with collector/deploy/Caddyfile, its certificates by its own authority."""
    needs("caddy")
    tls = free_port()
    own = f"{{\n\tlocal_certs\n\tskip_install_trust\n\thttp_port {free_port()}\n\thttps_port {tls}\n"
    text = replaced((DEPLOY / "Caddyfile").read_text("utf-8"), r"(?m)^\{\n", own, count=1)
    text = replaced(text, r"127\.0\.0\.1:2020", f"127.0.0.1:{free_port()}")
    (folder / "Caddyfile").write_text(edit(text), "utf-8")
    environ = {
        "PUBLIC_HOST": PUBLIC,
        "ANALYST_HOST": ANALYST,
        "COLLECTORS": " ".join(upstreams.public),
        "ANALYST": upstreams.analyst,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "TLS_PORT": str(tls),
    }
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    authority = folder / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    return _ready(Proxy(folder, command, environ, authority))


RUN = {"nginx": run_nginx, "caddy": run_caddy}


def replaced(text: str, pattern: str, into: str, count: int = 0) -> str:
    """The text with something of it replaced that must be there."""
    text, times = re.subn(pattern, into, text, count=count)
    assert times, f"no longer in the shipped configuration: {pattern}"
    return text


def free_port() -> int:
    """A port nobody listens on, below those that the kernel gives to connections in the meantime."""
    while True:
        with suppress(OSError), socket.create_server(("", random.randrange(20_000, 32_000))) as held:
            return int(held.getsockname()[1])


def _ready(proxy: Proxy) -> Proxy:
    try:
        proxy.wait_ready()
    except AssertionError:
        proxy.stop()
        raise
    return proxy


def _certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "private.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=tests"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", f"subjectAltName=DNS:{PUBLIC},DNS:{ANALYST}"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key

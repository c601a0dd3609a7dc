"""The clients that are published on npm, installed once per lock file, and bundled for a browser as users do."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

from tests.requires import needs
from tests.stack import ROOT

LOCKED = Path(__file__).parent / "npm"
FOLDER = ROOT / ".venv" / "npm-clients"
MANIFESTS = ("package.json", "package-lock.json")
INSTALL_TIMEOUT_S = 300


def installed() -> Path:
    """Where node_modules lies; installs what the lock file says unless it is there."""
    needs("node", "npm")
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time, should several runs want it
        stamp = FOLDER / "installed.json"
        locked = (LOCKED / "package-lock.json").read_bytes()
        if not stamp.is_file() or stamp.read_bytes() != locked:
            for name in MANIFESTS:
                shutil.copyfile(LOCKED / name, FOLDER / name)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(command, cwd=FOLDER, check=True, timeout=INSTALL_TIMEOUT_S)
            stamp.write_bytes(locked)
    return FOLDER


def bundled(source: str, into: Path) -> Path:
    """A script for browsers, made of a module's text that may import the clients."""
    esbuild = str(FOLDER / "node_modules" / ".bin" / "esbuild")
    command = [esbuild, "--bundle", "--format=iife", f"--outfile={into}"]
    subprocess.run(command, input=source.encode(), cwd=FOLDER, check=True, capture_output=True, timeout=60)
    return into

"""The collector as the image installs it: the Dockerfile's own commands, in empty environments and out of the checkout.

`install` copies what .dockerignore lets through, and runs every RUN line of the build stage there; only the places
/wheels and /opt/collector are others. An Installed is a Stack of that program, started in a folder of its own.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.stack import ROOT, Stack

DOCKERFILE = ROOT / "collector" / "deploy" / "Dockerfile"
INSTALL_PATIENCE_S = 1800.0


def is_let_through(path: str) -> bool:
    """Whether .dockerignore lets a path of the repository into the build: the last rule that names it decides."""
    rules = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    folders = [path, *(parent.as_posix() for parent in Path(path).parents)]
    let_through = True
    for rule in rules:
        pattern = rule.lstrip("!").replace("**/", "*")
        if any(fnmatch.fnmatchcase(folder, pattern) for folder in folders):
            let_through = rule[0] == "!"
    return let_through


def build_steps() -> list[str]:
    """What the build stage runs, in order."""
    stage = DOCKERFILE.read_text("utf-8").split("\nFROM ")[1]
    return [step.replace("\\\n", " ") for step in re.findall(r"^RUN ((?:.*\\\n)*.*)$", stage, re.MULTILINE)]


def install(folder: Path, files: list[str], extras: str) -> Path:
    """The folder of programs that the image would have; its wheels are kept in `folder` for another time."""
    context, wheels, opt = folder / "context", folder / "wheels", folder / f"opt{len(extras)}"
    if not context.exists():
        for file in filter(is_let_through, files):
            (context / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, context / file)
        subprocess.run([sys.executable, "-m", "venv", str(folder / "base")], check=True)
    paths = [str(folder / "base" / "bin"), os.environ["PATH"]]
    outside = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "COLLECTOR_"))}
    for step in build_steps():
        if "wheel" in step.split("--")[0] and any(wheels.glob("collector-*")):
            continue
        ran = subprocess.run(
            ["sh", "-ec", step.replace("/wheels", str(wheels)).replace("/opt/collector", str(opt))],
            cwd=context,
            env={**outside, "PATH": os.pathsep.join(paths), "EXTRAS": extras},
            capture_output=True,
            text=True,
            timeout=INSTALL_PATIENCE_S,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    return opt / "bin"


class Installed(Stack):
    """A Stack of an installed program, in an empty folder, with an environment that knows nothing of the checkout."""

    def __init__(self, folder: Path, programs: Path, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder / "empty"
        self.folder.mkdir()
        self.programs = programs
        self._given = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder)}
        super().__init__(folder, environ=environ)

    def launch(self) -> subprocess.Popen[bytes]:
        """The same as a Stack's, but of that program."""
        options = ["--data", str(self.data), "--public", self.public, "--analyst", self.analyst, "--workers", "1"]
        ours = {name: text for name, text in self._environ.items() if name.startswith("COLLECTOR_")}
        with self.log_file.open("ab") as log:
            return subprocess.Popen(
                [str(self.programs / "collector"), "serve", *options],
                cwd=self.folder,
                env={**self._given, **ours},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

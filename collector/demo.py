"""`make demo`: 90 made-up days in ./var-demo, once, then the collector on them, with a little traffic of now.

    var-demo/collector.toml   demo.toml, with an annotation for each release
    var-demo/data             the days; made elsewhere and renamed when all are there, so it is whole or absent
    var-demo/truth.json       what the reports must say of them

What sends the traffic of now ends with the collector, however that ends (PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from collector.commands.common import plainly
from collector.commands.simulate import DAYS, SEED, VISITORS, make_history
from collector.log import configure
from collector.settings import Settings, read_settings
from collector.tools.simulate.releases import Releases
from collector.tools.simulate.visitors import DAY_S

FOLDER = Path("var-demo")
CONFIG, DATA, MADE, TRUTH = (FOLDER / name for name in ("collector.toml", "data", "data.made", "truth.json"))
TEMPLATE = Path(__file__).parent / "demo.toml"
RATE = "3"  # events a second of now
PR_SET_PDEATHSIG = 1


@click.command()
@plainly
def demo() -> None:
    """Fill ./var-demo if there is none, and serve it."""
    configure("warning")
    if not DATA.exists():
        _fill()
    settings = _settings(DATA)
    if settings.public.port:
        _begin_traffic(f"http://{settings.public}")
    click.echo(f"A demonstration: everything in ./{FOLDER} is made up. Remove it for a fresh one.", err=True)
    serve = [sys.executable, "-m", "collector", "serve", "--config", str(CONFIG), "--data", str(DATA)]
    os.execv(sys.executable, serve)  # noqa: S606 - the collector itself


def _fill() -> None:
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    shutil.rmtree(MADE, ignore_errors=True)  # of a try that was ended
    last = int(time.time()) // DAY_S
    span = range(last - DAYS + 1, last + 1)
    CONFIG.write_text(TEMPLATE.read_text("utf-8"), "utf-8")
    settings = _settings(MADE)
    CONFIG.write_text(TEMPLATE.read_text("utf-8") + _annotations(settings, span), "utf-8")
    click.echo(f"Making up {DAYS} days of one website and one program; this takes about a minute ...", err=True)
    began = time.monotonic()
    made = make_history(settings, span, seed=SEED, visitors=VISITORS, truth=TRUTH)
    MADE.rename(DATA)
    click.echo(f"Made {made.events:,} events in {time.monotonic() - began:.0f} s.", err=True)


def _settings(data: Path) -> Settings:
    return read_settings({"config": str(CONFIG), "data": str(data)}, os.environ)


def _annotations(settings: Settings, span: range) -> str:
    """A table for each release of these days."""
    told = []
    for product in settings.registry.products.values():
        for release in Releases(product.versions, span[0], len(span)).all:
            if release.day >= span[0]:
                day = datetime.fromtimestamp(release.day * DAY_S, UTC).date().isoformat()
                told += ["", "[[annotation]]", f'property = "{product.id}"', f'day = "{day}"']
                told += [f'text = "{product.id} {release.version}"']
    return "\n".join([*told, ""])


def _begin_traffic(to: str) -> None:
    def end_with_parent() -> None:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    subprocess.Popen(  # noqa: S603 - the collector itself
        [sys.executable, "-m", "collector", "simulate", "--to", to, "--rate", RATE, "--config", str(CONFIG)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=end_with_parent,  # noqa: PLW1509 - there is one thread only
    )


if __name__ == "__main__":
    demo()

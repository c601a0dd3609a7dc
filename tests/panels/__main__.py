"""`python -m tests.panels DATA`: see the package."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from collector.catalogue.declarations import read_declarations
from collector.log import configure
from collector.settings import read_settings
from tests.panels.ask import AT_ONCE, open_desk, panels
from tests.panels.fill import Size, fill

RANGES = ((730, "month"), (730, "week"), (90, "day"))


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--sites", default=20, show_default=True)
@click.option("--days", default=730, show_default=True)
@click.option("--visitors", default=1_000, show_default=True, help="A day and site, of three hits each.")
def main(data: Path, sites: int, days: int, visitors: int) -> None:
    """Fill DATA if it is not there, ask, and print a Markdown table. Serve it with --config DATA.toml."""
    configure("warning")
    config = data.with_name(data.name + ".toml")
    size = Size(sites=sites, days=days, visitors=visitors)
    if not data.exists():
        fill(data, config, size)
    settings = read_settings({"config": str(config), "data": str(data)}, {})
    os.environ["TMPDIR"] = str(data / "tmp")
    (data / "tmp").mkdir(exist_ok=True)
    last = datetime.now(UTC).date()
    with open_desk(settings) as desk:
        for number, (back, interval) in enumerate(RANGES):
            first = last - timedelta(days=min(back, days) - 1)
            asked = panels(read_declarations(), interval)
            site = size.names[number % sites]
            click.echo(f"\n{first} to {last}, by {interval}\n\n| question | ms | without HTTP | raw events | ratio |")
            click.echo("|---|---:|---:|---:|---:|")
            took = [desk.ask(panel, site, first, last) for panel in asked]
            for one in took:
                ratio = one.raw_ms / one.http_ms
                click.echo(
                    f"| {one.panel.name} | {one.http_ms:.1f} | {one.plain_ms:.1f} | {one.raw_ms:.1f} | {ratio:.1f} |"
                )
            click.echo(f"\nall {len(asked)}, {AT_ONCE} at a time: {desk.page_ms(asked, site, first, last):.0f} ms")


main()

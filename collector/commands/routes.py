"""`collector routes`: the routes of a site, made from its own sitemap."""

from __future__ import annotations

import click

from collector.commands.common import plainly
from collector.errors import Misconfigured
from collector.tools.routes import MANY, as_toml, read_pages, routes_of, told_of
from collector.tools.sitemap import addresses_in


@click.command("routes")
@click.option("--sitemap", "source", required=True, metavar="FILE|URL", help="The site's sitemap, or an index of some.")
@click.option("--host", "wanted", multiple=True, metavar="HOST", help="A host of the site. Default: the most frequent.")
@click.option(
    "--many",
    type=click.IntRange(1, 1000),
    default=MANY,
    show_default=True,
    help="More pages or folders than this side by side become one pattern.",
)
@plainly
def routes_command(source: str, wanted: tuple[str, ...], many: int) -> None:
    """Print the `routes` of a [[site]], made from the site's own sitemap (XML, gzip, an index). Needs no server.

    \b
    collector routes --sitemap https://www.example.org/sitemap.xml
    routes = [
      "/",
      "/about",
      "/blog/*",
    ]

    Every page of the sitemap is then counted under its own path; any other path is counted as (other). Look at what is
    printed before you take it over, for a pattern vouches for more than the pages there are.
    """  # noqa: D301 - click's sign for lines that stay as they are
    listed = read_pages(addresses_in(source))
    hosts = listed.hosts(wanted)
    routes = routes_of((path for host in sorted(hosts) for path in listed.paths.get(host, ())), many)
    if not routes:
        raise Misconfigured(f"{source}: lists no page of {' or '.join(sorted(hosts)) or 'any host'}")
    click.echo(as_toml(routes))
    for line in told_of(listed, hosts, routes):
        click.echo(line, err=True)

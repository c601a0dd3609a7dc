"""`collector serve`: the collector itself, and what it tells whoever starts it.

The process that is started, and stays as the supervisor, imports no more than it needs for that.
"""

from __future__ import annotations

import os

import click

from collector.built import DASHBOARD
from collector.clock import SystemClock
from collector.commands.access import first_link
from collector.commands.common import OPTIONS, plainly, read, settings_options
from collector.importing import imported
from collector.log import configure
from collector.named_files import check_settings
from collector.processes.reload import handed_on, rehearsed_for
from collector.settings import EXAMPLE, Settings
from collector.supervisor import serve, take_over
from collector.tools import start_lines


@click.command("serve")
@settings_options(*OPTIONS)
@plainly
def serve_command(**flags: str | None) -> None:
    """Receive events and answer questions, until SIGTERM or Ctrl-C.

    SIGHUP reads the configuration anew and replaces every process by one of the version on disk, without a pause; what
    is wrong with either is said, and all goes on as before. data, public and analyst change by a restart only.

    COLLECTOR_ANALYST_TOKEN may hold one more token that reads every property (32 to 200 printable ASCII characters).
    """
    if handed := handed_on(os.environ):
        configure(handed.settings().log_level)
        take_over(handed, SystemClock())
        return
    approve = rehearsed_for(os.environ)
    settings = read(flags)
    check_settings(settings)
    if approve:
        imported("collector.commands.rehearsal").rehearse(settings)
        approve(settings)
        return

    def announce(public: str, analyst: str) -> None:
        click.echo("\n".join(_start_lines(settings, public, analyst)), err=True)

    if not serve(settings, SystemClock(), announce):
        raise click.ClickException("a process could not run as configured; it said why above")


def _start_lines(settings: Settings, public: str, analyst: str) -> list[str]:
    """What a person needs to know to send the first event and see it counted."""
    token_given = settings.analyst_token is not None
    lines = start_lines.where_everything_is(public, analyst, settings.data, settings.config, token_given=token_given)
    link = first_link(settings.data, analyst)
    lines += start_lines.how_to_sign_in(analyst, link, settings.data, is_built=DASHBOARD.is_file())
    if settings.config is None:
        lines += start_lines.how_to_begin(public, settings.data, EXAMPLE)
    lines += start_lines.warnings_of(settings.registry, settings.releases)
    return lines + start_lines.warning_of_analyst(settings.analyst.host, analyst)

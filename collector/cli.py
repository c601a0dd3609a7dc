"""The `collector` command and the list of all there are. A command is imported when it is typed.

All of them take a second and a half to import: too long for a list, and three times over for each start of a collector,
whose every process is one.
"""

from __future__ import annotations

import os

import click
from click.shell_completion import CompletionItem

from collector.commands.common import run_whole
from collector.errors import Misconfigured
from collector.importing import imported
from collector.log import configure

# name: module, what it is called there, what it does
COMMANDS = {
    "backup": ("collector.commands.backup", "backup", "Write what is sealed to a file."),
    "check": ("collector.commands.check", "check", "Check the declarations and the configuration."),
    "dictionary": ("collector.commands.check", "dictionary", "Explain the tables."),
    "doctor": ("collector.commands.doctor", "doctor", "Look whether all is well."),
    "import-log": ("collector.commands.import_log", "import_log", "Count page hits of web server logs."),
    "migrate": ("collector.commands.migrate", "migrate", "Make a ClickHouse server ready, or a cluster of replicas."),
    "prove": ("collector.tools.prove.command", "prove_command", "Prove that nothing of a caller is left."),
    "quarantine": ("collector.commands.quarantine", "quarantine", "Look at what could not be counted."),
    "query": ("collector.commands.query", "query", "Ask a report."),
    "replay": ("collector.commands.replay", "replay_command", "Send recorded page hits again."),
    "reports": ("collector.commands.query", "reports", "List the reports that can be asked."),
    "restore": ("collector.commands.backup", "restore", "Bring a backup into an empty collector."),
    "routes": ("collector.commands.routes", "routes_command", "Make a site's routes from its sitemap."),
    "seal": ("collector.commands.seal", "seal", "Seal the days that are due."),
    "serve": ("collector.commands.serve", "serve_command", "Receive events and answer questions."),
    "simulate": ("collector.commands.simulate", "simulate", "Make up traffic, and what reports must say of it."),
    "token": ("collector.commands.access", "token", "Make and revoke tokens for programs."),
    "user": ("collector.commands.access", "user", "Let people in, and out."),
}
CHILD = "child"  # one process of a supervisor: nobody types it, and no list has it


class NotWholeError(click.ClickException):
    """The command cannot be imported. A supervisor ends with a first process that says so (EXIT_MISCONFIGURED)."""

    exit_code = os.EX_CONFIG


class Commands(click.Group):
    """COMMANDS, none of which is imported before it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported; None if there is none."""
        if cmd_name == CHILD:
            module, called = "collector.commands.child", CHILD
        elif cmd_name in COMMANDS:
            module, called, _ = COMMANDS[cmd_name]
        else:
            return None
        try:
            command: click.Command = getattr(imported(module), called)
        except Misconfigured as error:
            raise NotWholeError(str(error)) from None
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is typed, or a word about those that are spelled alike."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(args[0], possibilities=COMMANDS, ctx=ctx) from error

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """What may be typed here."""
        found = [
            CompletionItem(name, help=does) for name, (*_, does) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, does) for name, (_, _, does) in COMMANDS.items()])


def main() -> None:
    """Run the command line."""
    configure("info")  # until the settings say otherwise: nothing may print frames before
    run_whole(lambda: collector(prog_name="collector"))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="collector", message="collector %(version)s")
def collector() -> None:
    """Count what happens on your websites and in your software, and keep nothing but counts.

    `collector serve` runs it, `collector query traffic --property www.example.org` asks it. Every option of `serve`
    may also come from the environment or the configuration; a flag wins over both.
    """

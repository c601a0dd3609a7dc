"""What a reload does first, in a process of its own: make what takes longest, for nothing, with what may be wrong."""

from __future__ import annotations

from collector.catalogue.declarations import read_declarations, schemas_folder
from collector.commands.check import refuse_problems
from collector.settings import Settings
from collector.worker import judge_of


def rehearse(settings: Settings) -> None:
    """Judge declarations and settings as a worker of this version does. Raises Misconfigured or ClickException."""
    declarations = read_declarations()
    refuse_problems(declarations, schemas_folder())
    judge_of(settings, declarations)

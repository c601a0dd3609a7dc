"""What a reload does first, in a process of its own: make what takes longest, for nothing, with what may be wrong."""

from __future__ import annotations

from collector.catalogue.declarations import read_declarations, schemas_folder
from collector.commands.check import refuse_problems
from collector.commands.child import ROLES, main_of
from collector.settings import Settings
from collector.worker import judge_of


def rehearse(settings: Settings) -> None:
    """Import all that will run, and judge declarations and settings as a worker does; raises what stops a start."""
    for role in ROLES:
        main_of(role)
    declarations = read_declarations()
    refuse_problems(declarations, schemas_folder())
    judge_of(settings, declarations)

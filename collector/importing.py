"""Imports modules of ours when they are wanted: a command when it is typed, what a process is when it starts.

That takes up to a second, in which Ctrl-C ends the process at once and without a word: Python's own way shows a stack
of frames, and where it comes between two imports it is dropped.
"""

from __future__ import annotations

from importlib import import_module
from signal import SIG_DFL, SIGINT, default_int_handler, getsignal, signal
from typing import Any

from collector.errors import Misconfigured


def imported(module: str) -> Any:
    """The module of that name. Raises Misconfigured, saying what is missing, where the installation is not whole."""
    is_heard = getsignal(SIGINT) is default_int_handler  # else it was started to ignore it, as by nohup
    if is_heard:
        signal(SIGINT, SIG_DFL)
    try:
        return import_module(module)
    except (ImportError, SyntaxError) as error:
        raise Misconfigured(f"this installation is not whole, {module} cannot be imported: {error.msg}") from None
    finally:
        if is_heard:
            signal(SIGINT, default_int_handler)

"""`collector`, and `python -m collector`, which is how the supervisor starts its children.

Imports take a second. Ctrl-C ends them at once and without a word: Python's own way shows a stack of frames, and where
it comes between two imports it is dropped.
"""

from signal import SIG_DFL, SIGINT, default_int_handler, getsignal, signal


def main() -> None:
    """Run the command line; the console script's entry."""
    is_heard = getsignal(SIGINT) is default_int_handler  # else it was started to ignore it, as by nohup
    if is_heard:
        signal(SIGINT, SIG_DFL)
    from collector.cli import main as run  # noqa: PLC0415 - see above

    if is_heard:
        signal(SIGINT, default_int_handler)
    run()


if __name__ == "__main__":
    main()

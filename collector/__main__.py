"""`collector`, and `python -m collector`, which is how the supervisor starts its children.

Imports take a second, in which Ctrl-C must not show a stack of frames.
"""

import sys

INTERRUPTED = 130  # as shells have it


def main() -> None:
    """Run the command line; the console script's entry."""
    try:
        from collector.cli import main as run  # noqa: PLC0415 - see above
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    run()


if __name__ == "__main__":
    main()

"""`collector`, and `python -m collector`, which is how the supervisor starts its children."""

import sys

from collector.errors import Misconfigured
from collector.importing import imported


def main() -> None:
    """Run the command line; the console script's entry."""
    try:
        command_line = imported("collector.cli")
    except Misconfigured as error:
        sys.exit(f"Error: {error}")
    command_line.main()


if __name__ == "__main__":
    main()

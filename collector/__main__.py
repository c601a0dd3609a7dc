"""`python -m collector`: the same as the `collector` command. The supervisor starts its children this way."""

from collector.cli import main

main()

"""`python -m collector.tools.bench`: see command.py."""

from collector.tools.bench.command import main

main()

"""How fast the dashboard's questions are answered: of what the collector keeps, and of a table of raw events.

python -m tests.panels DATA [--days 730] [--sites 20]        fills DATA if it is not there; a Markdown table
"""

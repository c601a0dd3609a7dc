"""The evidence that an acknowledged event is counted exactly once: `python -m tests.durability`.

Each scenario (scenarios.py) does one kind of harm to a real collector while events are sent to it, and tells how many
were acknowledged, lost and doubled. Everything drawn by chance comes from a seed that is told with the result.
"""

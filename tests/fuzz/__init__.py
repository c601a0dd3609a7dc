"""Fuzzers: everything that reads bytes of strangers, or bytes off a disk, tried with bytes that nobody thought of.

`make fuzz` runs every target (targets.py) for its share of FUZZ_S seconds, guided by coverage where atheris is there.
A target has an oracle: what must hold of any input. What breaks one is made small and kept as a row of
tests/data/fuzz_found.jsonl, which the default tests try again (tests/test_fuzz.py).
"""

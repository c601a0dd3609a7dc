"""The durability proof: faults on the real thing, and whether every acknowledged event counted once."""

"""Update checks: the protocols that programs already speak to learn of a newer version, each answered and counted."""

"""The durable log of reduced events on local disk."""

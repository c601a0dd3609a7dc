"""The public port: the only place that knows who is calling."""

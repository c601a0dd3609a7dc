"""From a caller's request to buckets: the only place that looks at addresses, agents and referrers."""

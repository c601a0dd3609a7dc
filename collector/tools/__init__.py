"""Programs around the collector."""

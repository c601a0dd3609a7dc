"""Measures the collector against a bare aiohttp application, or against another commit of itself: `make bench`."""

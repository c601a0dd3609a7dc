"""Playwright in a real Chromium over a real collector with a made-up past."""

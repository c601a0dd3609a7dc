"""Clients that other people wrote, and our own, against a running collector: in Chromium, in Node and in Python."""

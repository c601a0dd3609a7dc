"""The analyst port."""

"""The collector: privacy-preserving analytics. What is kept is only counts."""

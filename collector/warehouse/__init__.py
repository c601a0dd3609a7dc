"""Cells in ClickHouse."""

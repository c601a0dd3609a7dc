"""What `collector import-log` is made of: log lines become page hits, cells, and sealed days of a node of their own."""

"""What `collector doctor` looks at: machine.py, counts.py, database.py; examine.py asks for all of it, line by line."""

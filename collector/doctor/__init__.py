"""What `collector doctor` looks at: machine.py, counts.py, database.py; examine.py asks for all of it, line by line.

Not whether events are received: whoever sends one asks another process, and so does the command (commands/doctor.py).
"""

"""What of an event is new to which cell, and the cells themselves."""

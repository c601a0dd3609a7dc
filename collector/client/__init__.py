"""What a player copies into itself: checks for updates that count active installations without an identifier."""

"""Wire formats of other people's clients, each translated into events of ours and counted through the door."""

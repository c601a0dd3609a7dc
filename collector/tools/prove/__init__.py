"""A proof anyone can run that nothing of a caller is left: what is sent, where it is looked for, and what was found."""

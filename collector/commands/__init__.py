"""What an operator types, and what is said back: cli.py imports a command's module when it is typed.

Each reads settings and calls one function of another package. common.py is what they share.
"""

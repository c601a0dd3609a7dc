"""The processes of one `serve`: what the supervisor holds, starts, hands down and hands on."""

"""The plate picture: every well of every plate, and what happened to it."""

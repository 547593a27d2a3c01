"""A simulated lab week: real campaigns on simulated machines, with people, stock and mishaps, in simulated time."""

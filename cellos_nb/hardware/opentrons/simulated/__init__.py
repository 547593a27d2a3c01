"""A robot's own server without a robot: for trying things out, and for tests of what may go wrong."""

"""Machines: what executes a step, simulated or real."""

"""Dose response: what was measured, what was fitted, and what the model expects."""

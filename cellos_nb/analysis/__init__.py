"""Dose-response fits, plate quality, and what readings conclude."""

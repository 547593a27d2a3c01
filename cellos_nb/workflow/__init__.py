"""Proposals in, steps out."""

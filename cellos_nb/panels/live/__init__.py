"""The live campaign."""

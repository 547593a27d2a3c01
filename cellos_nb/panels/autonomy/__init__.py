"""What the laboratory does by itself, and where it needs a person."""

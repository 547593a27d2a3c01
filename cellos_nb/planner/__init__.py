"""History in, proposals out."""

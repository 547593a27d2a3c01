"""Earlier results as a panel: a mapping that is guessed, checked while it is changed, and imported by a click."""

"""Images of wells: rendered from simulated cells, and read back to counts, intensities and viability."""

"""A grid of coloured cells that pointer and arrow keys walk through: plates and heat maps."""

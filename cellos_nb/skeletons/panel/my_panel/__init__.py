"""A panel for cellos_nb."""

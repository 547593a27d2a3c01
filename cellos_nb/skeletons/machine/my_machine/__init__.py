"""A machine for cellos_nb."""

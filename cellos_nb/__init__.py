"""cellos_nb."""

"""An action for cellos_nb."""

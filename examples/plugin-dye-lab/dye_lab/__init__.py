"""What the dye laboratory adds to cellos_nb."""

"""An assay's protocol for cellos_nb."""

"""A planner for cellos_nb."""

"""Running a lab: what happens around the experiments."""

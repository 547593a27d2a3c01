"""Why an experiment was proposed."""

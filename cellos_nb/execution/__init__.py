"""Queue, journal, lease and the executor that joins steps to machines."""

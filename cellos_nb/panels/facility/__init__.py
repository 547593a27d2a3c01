"""A facility as a panel: what queues for what, and what other capacities would bring."""

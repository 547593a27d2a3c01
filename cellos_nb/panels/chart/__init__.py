"""A chart that is updated often: one message to the page, one element for each mark, however many points it has."""

"""The kinds of work that come with the package; each is found by its entry point, as those of plug-ins are."""

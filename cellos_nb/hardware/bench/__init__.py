"""A person as the machine: what to do next as a page and worklists, and what was done back into the journal."""

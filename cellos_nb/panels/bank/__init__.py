"""A cell bank as a panel: what it is likely to come to, what if, and what it depends on."""

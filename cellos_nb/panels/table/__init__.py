"""The table of all results: sorted, filtered and paged in the kernel, so that 100,000 rows freeze no page."""

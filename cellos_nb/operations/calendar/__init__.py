"""The calendar: who and what does which step when, over all resources of a lab."""

"""The calendar as a panel: the plan, and beside it what the database says of it."""

"""What a person at the bench is asked to do next, and their answer."""

"""The `cellos` command."""

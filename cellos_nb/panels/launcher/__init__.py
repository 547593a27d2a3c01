"""Setting up and starting a campaign."""

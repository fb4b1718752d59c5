"""Orders, and their one live payment."""

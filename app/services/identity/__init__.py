"""Users, passwords, sessions and scopes."""

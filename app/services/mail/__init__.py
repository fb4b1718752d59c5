"""Outgoing mail: queued as rows, and sent once."""

"""Writes the skeleton of a new provider (docs/adding-a-provider.md). Not part of the running gateway."""

"""Builds the scripts of pages that come from npm."""

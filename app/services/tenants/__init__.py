"""Tenants, their API keys and fees."""

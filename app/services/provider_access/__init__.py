"""Accounts at providers, their access tokens, their health, and the limit on concurrent calls."""

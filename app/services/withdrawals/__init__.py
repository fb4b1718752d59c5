"""Withdrawals: requested, approved by other people, and paid out once."""

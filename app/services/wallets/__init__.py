"""Wallets and payments between them."""

"""Bodies of the Wallet API."""

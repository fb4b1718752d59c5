"""The Wallet API: users' apps, wallets and payments between users (docs/api/wallet.md)."""

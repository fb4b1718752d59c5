"""The Wallet API: users' apps, money from person to person (document 000)."""

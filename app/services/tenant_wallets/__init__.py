"""What a tenant sees of its wallet: balances, lines, statements."""

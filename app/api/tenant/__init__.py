"""The Tenant API: a merchant's back office. It has no routes yet, but its paths are its own."""

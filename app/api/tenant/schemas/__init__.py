"""Bodies and queries of the Tenant API (document 002)."""

"""The Tenant API: a tenant's back office (document 002)."""

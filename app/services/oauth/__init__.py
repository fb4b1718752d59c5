"""OAuth 2: applications that act for tenants, what they were granted, and the tokens they hold."""

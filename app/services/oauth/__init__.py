"""OAuth 2: applications that act for tenants, and the tokens they hold."""

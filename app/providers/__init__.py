"""The registry: every provider the gateway speaks to, one line each (docs/adding-a-provider.md)."""

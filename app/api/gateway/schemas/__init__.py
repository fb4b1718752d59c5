"""Bodies of the Gateway API."""

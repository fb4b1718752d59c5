"""Bodies of the Processing API."""

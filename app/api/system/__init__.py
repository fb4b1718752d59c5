"""Routes of the gateway itself: health, version, metrics, the OpenAPI document."""

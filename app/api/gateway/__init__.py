"""The Gateway API: merchants' backends, payments through providers (docs/api/gateway.md)."""

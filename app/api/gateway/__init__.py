"""The Gateway API: merchant backends, payments through providers (document 001)."""

"""The Processing API: merchant backends, synchronous payments (document 003)."""

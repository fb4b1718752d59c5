"""The Processing API: merchants' backends, synchronous payments. It has no routes yet, but its paths are its own."""

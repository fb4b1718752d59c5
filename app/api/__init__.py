"""HTTP in, JSON out. THE table of routes is in routes.py."""

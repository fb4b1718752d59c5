"""How fast it is, measured beside pgbench on the same server in the same run: `make bench`.

Absolute figures depend on the machine, so every figure has a ratio to pgbench (TPC-B, prepared, the same number of
clients), measured right before and after it.
"""

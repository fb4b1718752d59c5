"""How fast it is, measured beside pgbench on the same server in the same run: `make bench`.

Absolute figures say more about the machine than about the software, so every one stands beside a ratio to pgbench
(TPC-B, prepared, as many clients) measured right before and after it.
"""

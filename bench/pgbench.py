"""The baseline: pgbench's TPC-B, prepared statements, on the same server."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

from psycopg2.extensions import parse_dsn

from launcher.embedded import SUPERUSER, EmbeddedPostgres
from launcher.paths import postgres_binaries

DATABASE = "baseline"
THREADS = 2
_RATE = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


class PgBench:
    """pgbench in a database of its own. `scale`: 100,000 accounts each."""

    def __init__(self, postgres: EmbeddedPostgres, *, clients: int, scale: int) -> None:
        postgres.create_database(DATABASE)
        self._clients = clients
        self._environment = _libpq(parse_dsn(postgres.url(SUPERUSER, DATABASE)))
        self._run("--initialize", "--quiet", "--scale", str(scale))

    def per_second(self, seconds: float) -> float:
        """Transactions per second over `seconds`, without the time to connect."""
        printed = self._run(
            "--protocol=prepared",
            f"--client={self._clients}",
            f"--jobs={THREADS}",
            f"--time={max(1, round(seconds))}",
        )
        found = _RATE.search(printed)
        if found is None:
            raise RuntimeError(f"pgbench did not print its tps: {printed}")
        return float(found[1])

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [postgres_binaries().path("pgbench"), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"pgbench failed: {done.stderr.strip()}")
        return done.stdout


def _libpq(dsn: dict[str, Any]) -> dict[str, str]:
    """In the environment, not among the arguments: other users can read those."""
    names = {"PGHOST": "host", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname"}
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"} | {
        name: str(dsn[key]) for name, key in names.items()
    }

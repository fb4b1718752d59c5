"""Real Postgres and Redis servers from wheels, for `make run` and the tests.

Each server lives in a folder of its own, is a foreground child of this process, and ends with it. Any number
run at once. Postgres listens on a Unix socket only, Redis on 127.0.0.1 with a password.

    with EmbeddedPostgres.temporary(options={"fsync": "off"}) as postgres:
        postgres.create_database("example")
        psycopg2.connect(postgres.url("malipo_owner", "example"))
"""

from launcher.embedded_postgres import DATABASE, EmbeddedPostgres
from launcher.embedded_redis import EmbeddedRedis
from launcher.embedded_server import EmbeddedServer
from launcher.postgres_setup import APPLICATION, OWNER, SUPERUSER

__all__ = [
    "APPLICATION",
    "DATABASE",
    "OWNER",
    "SUPERUSER",
    "EmbeddedPostgres",
    "EmbeddedRedis",
    "EmbeddedServer",
]

"""gunicorn's settings, from the same configuration the application reads."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from gunicorn.arbiter import Arbiter
from gunicorn.errors import HaltServer

from app.config.loader import load
from app.config.setting import ConfigError

try:
    _settings = load()
except ConfigError as error:
    sys.exit(str(error))

proc_name = "malipo"
bind = [address.strip() for address in _settings["BIND"].split(",")]

# psycopg2 blocks, so requests run on threads. In demo one worker's threads also carry the Socket.IO clients.
worker_class = "gunicorn_worker.StayingThreadWorker"
workers = _settings["WEB_WORKERS"]
threads = _settings["WEB_THREADS"]
preload_app = False  # every worker opens connections of its own
timeout = 60
graceful_timeout = 3  # an open Socket.IO connection never ends by itself
keepalive = 5
# A worker's sign of life is a file's time: in memory, so that a busy disk does not make it look dead.
_memory = "/dev/shm"  # noqa: S108 - gunicorn makes a file of its own there, with an unguessable name
worker_tmp_dir = _memory if os.access(_memory, os.W_OK) else None

limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

# The scheme and address a proxy reports are read by the application (TRUSTED_PROXIES), not here.
forwarded_allow_ips = ""

accesslog = None  # the application logs every request, with its id
loglevel = "warning"
control_socket_disable = True


def on_starting(server: Arbiter) -> None:
    """When one worker refuses to boot, gunicorn stops the others; one that refuses in that moment raises out of its `stop`.

    gunicorn then ends with a traceback and status 1 instead of the refusal's own status, so stopping goes on until it is done.
    """
    stop = server.stop

    def stop_every_worker(graceful: bool = True) -> None:
        while True:
            try:
                stop(graceful)
            except HaltServer:
                continue
            return

    server.stop = stop_every_worker

"""gunicorn's settings for the sandbox: one process, because the database connection and the timers belong to it."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.config.sandbox import load_sandbox
from app.config.setting import ConfigError

try:
    _settings = load_sandbox()
except ConfigError as error:
    sys.exit(str(error))

proc_name = "malipo-sandbox"
bind = [_settings["SANDBOX_BIND"]]
worker_class = "gthread"
workers = 1
threads = 32
preload_app = False  # the timers run in a thread of the worker
timeout = 60
graceful_timeout = 3
keepalive = 5
_memory = "/dev/shm"  # noqa: S108 - gunicorn creates a file with an unguessable name there
worker_tmp_dir = _memory if os.access(_memory, os.W_OK) else None
forwarded_allow_ips = ""
accesslog = None
loglevel = "warning"
control_socket_disable = True

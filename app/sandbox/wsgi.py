"""The sandbox for gunicorn: `gunicorn --config app/sandbox/gunicorn.conf.py app.sandbox.wsgi:app`."""

from __future__ import annotations

import atexit
import sys

from app import config, logs
from app.sandbox.app import create_app
from app.sandbox.core import SandboxSettings

try:
    _values = config.load_sandbox()
except config.ConfigError as error:
    sys.exit(str(error))

logs.configure({"LOG_LEVEL": _values["LOG_LEVEL"], "IS_DEMO": True})
app, sandbox = create_app(SandboxSettings.of(_values))
sandbox.start()
atexit.register(sandbox.close)

"""The sandbox for gunicorn: `gunicorn --config app/sandbox/gunicorn.conf.py app.sandbox.wsgi:app`."""

from __future__ import annotations

import atexit
import sys

from app import logs
from app.config.sandbox import load_sandbox
from app.config.setting import ConfigError
from app.sandbox.app import create_app
from app.sandbox.core import SandboxSettings

try:
    _values = load_sandbox()
except ConfigError as error:
    sys.exit(str(error))

logs.configure({"LOG_LEVEL": _values["LOG_LEVEL"], "IS_DEMO": True})
app, sandbox = create_app(SandboxSettings.of(_values))
sandbox.start()
atexit.register(sandbox.close)

"""The application for WSGI servers (`gunicorn wsgi:app`) and for the flask command."""

import os
import sys

import click

from app import create_app
from app.config.setting import ConfigError
from app.services.operator import installation

REFUSED = 3
"""A worker that ends so ends its gunicorn, too; after any other status it would be started again and again."""


def is_serving() -> bool:
    """Whether this is imported to serve. The flask command imports it for its commands, too; only `flask run` serves."""
    is_command = click.get_current_context(silent=True) is not None
    return not is_command or "run" in sys.argv


try:
    app = create_app(serves_http=is_serving() or "routes" in sys.argv, has_commands=not is_serving())
    if is_serving():
        installation.require_fit(app)
except ConfigError as error:
    if not is_serving():
        sys.exit(str(error))
    sys.stderr.write(f"{error}\n")
    sys.exit(REFUSED)

if __name__ == "__main__":
    # `python wsgi.py` is the same server that `make run` starts, without the rest of the house.
    os.execvp("gunicorn", ["gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"])  # noqa: S606 our own program

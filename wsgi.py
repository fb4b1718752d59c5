"""The application for WSGI servers (`gunicorn wsgi:app`) and for the flask command."""

import os
import sys

from app import create_app
from app.config.loader import ConfigError

try:
    app = create_app()
except ConfigError as error:
    sys.exit(str(error))

if __name__ == "__main__":
    # `python wsgi.py` is the same server that `make run` starts, without the rest of the house.
    os.execvp("gunicorn", ["gunicorn", "--config", "gunicorn.conf.py", "wsgi:app"])  # noqa: S606 our own program

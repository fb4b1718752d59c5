"""The settings the launcher makes for the processes: secrets once, the rest at every start."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.fernet import Fernet

from launcher.errors import LauncherError
from launcher.paths import PROJECT

VAR = PROJECT / "var"
"""Everything the launcher makes: secrets, servers' data, the application's files."""

DEMO_BIND = ("127.0.0.1:5000", "127.0.0.1:8000")
"""The second address serves the documents whose commands name port 8000."""

SANDBOX_BIND = "127.0.0.1:4010"
"""The provider simulators'."""

SECRETS: Mapping[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "JWT_SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "ENCRYPTION_KEY": lambda: Fernet.generate_key().decode(),
    "AUDIT_KEY": lambda: secrets.token_hex(32),
}


def base_environment() -> dict[str, str]:
    """The caller's environment and, where it is silent, the demo's: everything but the servers and BIND."""
    environment = dict(os.environ)
    for name, value in kept_secrets(VAR / "secrets.env").items():
        environment.setdefault(name, value)
    environment.setdefault("GATEWAY_ENV", "demo")
    environment.setdefault("FLASK_APP", "wsgi.py")
    environment.setdefault("VAR_DIR", str(VAR / "files"))
    environment["PYTHONUNBUFFERED"] = "1"
    if os.geteuid() == 0:
        # Whoever starts a demo as root knows; Celery would say so in five lines at every start.
        environment.setdefault("PYTHONWARNINGS", "ignore:You're running the worker with superuser privileges")
    return with_programs(environment)


def with_programs(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with this Python's programs (flask, gunicorn, celery) first in PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    return {**environment, "PATH": path}


def kept_secrets(file: Path) -> dict[str, str]:
    """The secrets in the file; those it lacks are generated and added. Only its owner may read it."""
    kept = read_exports(file)
    missing = {name: make() for name, make in SECRETS.items() if name not in kept}
    if missing:
        write_exports(file, kept | missing)
    return kept | missing


def read_exports(file: Path) -> dict[str, str]:
    """NAME=value lines, shell-quoted; an absent file is empty."""
    if not file.exists():
        return {}
    values = {}
    for line in file.read_text().splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        name, equals, value = words[0].partition("=")
        if not equals or len(words) > 1:
            raise LauncherError(f"{file} has a line that is not NAME=value: repair it, or remove the file.")
        values[name] = value
    return values


def write_exports(file: Path, values: Mapping[str, str]) -> None:
    """Write NAME=value lines that a shell and read_exports() read, mode 0600, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as output:
        output.writelines(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    part.replace(file)

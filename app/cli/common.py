"""What commands share."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

import click

from app.config.setting import ConfigError
from app.errors import GatewayError


def operator() -> str:
    """The actor of events that a command causes: the operating system's user who runs it."""
    uid = os.getuid()
    try:
        return f"cli:{pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"cli:{uid}"


@contextmanager
def refusals_as_sentences() -> Iterator[None]:
    """A refusal by a service ends the command with the error's message and exit code 1."""
    try:
        yield
    except GatewayError as error:
        raise click.ClickException(error.message) from error
    except ConfigError as error:
        raise click.ClickException(str(error)) from error

"""What commands share: who runs them, and refusals as sentences."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

import click

from app import database_clock
from app.config.setting import ConfigError
from app.errors import GatewayError
from app.principal import Principal


def principal() -> Principal:
    """The operator who runs the command: the operating system's user."""
    uid = os.getuid()
    try:
        return Principal.of_command(pwd.getpwuid(uid).pw_name)
    except KeyError:
        return Principal.of_command(str(uid))


@contextmanager
def refusals_as_sentences() -> Iterator[None]:
    """The clock follows the database's; a refusal by a service ends the command with the error's message and exit code 1."""
    try:
        database_clock.follow()
        yield
    except GatewayError as error:
        raise click.ClickException(error.message) from error
    except ConfigError as error:
        raise click.ClickException(str(error)) from error

"""What commands share: who runs them, amounts as arguments, and refusals as sentences."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import click

from app import database_clock, json_numbers
from app.config.setting import ConfigError
from app.errors import GatewayError
from app.money import Money, exponent_of
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


def parsed_amount(text: str, currency: str) -> Money:
    """An argument in major units, in a currency of any case; zero is an amount here. Raises InvalidRequest, ClickException."""
    code = currency.upper()
    exponent_of(code)
    return Money(0, code) if decimal_of(text) == 0 else Money.parse(text, code)


def decimal_of(text: str) -> Decimal:
    """Raises ClickException."""
    try:
        return json_numbers.decimal(text)
    except ValueError as error:
        raise click.ClickException(f"{text!r} is not a number.") from error

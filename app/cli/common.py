"""What commands share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import click

from app.errors import GatewayError

OPERATOR: Final = "operator"
"""The actor of events that commands cause."""


@contextmanager
def refusals_as_sentences() -> Iterator[None]:
    """A refusal by a service ends the command with the error's message and exit code 1."""
    try:
        yield
    except GatewayError as error:
        raise click.ClickException(error.message) from error

"""`flask relay`."""

from __future__ import annotations

import signal
import threading
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext

from app.cli.common import refusals_as_sentences
from app.events.push import Pusher
from app.events.relay import Relay
from app.services.operator import installation
from app.services.reactions import REACTIONS
from app.worker.broker import hand_over
from app.worker.runner import start_recurring


@click.command()
@with_appcontext
def relay() -> None:
    """Publish events, fold balances, push to Socket.IO, hand due jobs to the workers; runs until stopped."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with refusals_as_sentences():
        installation.require_fit(current_app._get_current_object())  # type: ignore[attr-defined]
        start_recurring()
    make_relay(current_app.config).run(stop)


def make_relay(config: Any) -> Relay:
    """The relay with its real ways out: Socket.IO and Celery, both over Redis."""
    url = config["REDIS_URL"]
    return Relay(config, pusher=Pusher(url), hand_over=hand_over(url), reactions=REACTIONS)

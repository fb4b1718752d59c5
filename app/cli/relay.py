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
from app.events.push_loop import PushLoop
from app.events.push_process import PushProcess, PushProcessEnded
from app.events.relay import Pushes, Relay
from app.services.operator import installation
from app.services.reactions import REACTIONS
from app.worker.broker import hand_over
from app.worker.runner import start_recurring


@click.command()
@with_appcontext
def relay() -> None:
    """Publish events, fold balances, push to Socket.IO, hand due jobs to the workers; runs until stopped."""
    pushes = PushProcess(make_push_loop(current_app.config))
    try:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        with refusals_as_sentences():
            installation.require_fit(current_app._get_current_object())  # type: ignore[attr-defined]
            start_recurring()
        make_relay(current_app.config, pushes).run(stop)
    except PushProcessEnded as error:
        raise click.ClickException(str(error)) from error
    finally:
        pushes.stop()


def make_relay(config: Any, pushes: Pushes) -> Relay:
    """The relay, with Celery over Redis."""
    return Relay(config, pushes=pushes, hand_over=hand_over(config["REDIS_URL"]), reactions=REACTIONS)


def make_push_loop(config: Any) -> PushLoop:
    """What pushes to Socket.IO clients over Redis."""
    return PushLoop(config, pusher=Pusher(config["REDIS_URL"]))

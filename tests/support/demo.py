"""Databases that hold the demo, for tests of what production and a purge make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flask import Flask

from app import create_app
from app.services.demo import load as demo_data
from launcher.embedded import APPLICATION, OWNER, EmbeddedRedis
from tests.support import servers

PRODUCTION = {"GATEWAY_ENV": "production", "REALTIME": "external"}


def new_settings(redis: EmbeddedRedis, folder: Path, **more: str) -> dict[str, str]:
    """A demo's environment on an empty database of its own."""
    postgres, database = servers.postgres(), servers.new_database()
    return servers.environment(
        postgres.url(APPLICATION, database),
        postgres.url(OWNER, database),
        redis.url(),
        var_dir=folder,
        **({"mode": "demo"} | more),
    )


def loaded(settings: dict[str, str]) -> Flask:
    """A demo with its data."""
    app = create_app(settings)
    with app.app_context():
        assert demo_data.load() > 0
    return app


def command(app: Flask, *words: str, **more: Any) -> Any:
    """`flask …` inside the application."""
    return app.test_cli_runner().invoke(args=list(words), **more)


def run_command(app: Flask, *words: str) -> str:
    """What `flask …` prints inside the application; it must succeed."""
    done = command(app, *words)
    assert done.exit_code == 0, done.output or repr(done.exception)
    printed: str = done.stdout
    return printed

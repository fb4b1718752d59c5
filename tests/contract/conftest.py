"""A whole demo: web, relay, worker and simulators on servers of their own, for documents', README's and tour's
commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import create_app
from launcher.embedded import APPLICATION, OWNER
from tests.support import servers
from tests.support.demo import run_command
from tests.support.folder_end import call_at_end_of
from tests.support.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    postgres, redis_server = servers.postgres(), servers.new_redis()
    database, folder = servers.new_database(), tmp_path_factory.mktemp("stack")
    environment = servers.environment(
        postgres.url(APPLICATION, database),
        postgres.url(OWNER, database),
        redis_server.url(),
        mode="demo",
        var_dir=folder / "files",
        KYC_AUTO_VERIFY_S="0.2",
        SANDBOX_AUTOPAY_S="0.5",
        LOG_LEVEL="INFO",
    )
    del environment["SANDBOX_URL"]  # the stack has its own simulators
    try:
        with running_stack(environment, folder, processes=("web", "relay", "worker", "sandbox")) as stack:
            call_at_end_of(Path(__file__).parent, stack.kill_all)
            yield stack
    finally:
        redis_server.destroy()


@pytest.fixture(scope="session")
def stack_app(stack: Stack) -> Flask:
    """The stack's application, here: a `flask` command runs in it without the start of a process."""
    return create_app(stack.environment | {"LOG_LEVEL": "WARNING", "REALTIME": "external"})


@pytest.fixture
def demo(stack: Stack, stack_app: Flask) -> Stack:
    """The stack with the initial demo data."""
    run_command(stack_app, "demo", "reset")
    return stack


@pytest.fixture(scope="session")
def merchant(stack: Stack, stack_app: Flask) -> Stack:
    """The stack with the demo's merchant, whatever data earlier tests have left there."""
    run_command(stack_app, "demo", "load")
    return stack


@pytest.fixture(scope="session")
def uuidgen(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """A folder with a `uuidgen`, which the documentation's commands need; None where the machine has its own."""
    from shutil import which

    if which("uuidgen"):
        return None
    folder = tmp_path_factory.mktemp("programs")
    program = folder / "uuidgen"
    program.write_text(f"#!{sys.executable}\nimport uuid\nprint(uuid.uuid4())\n")
    program.chmod(0o755)
    return folder


@pytest.fixture
def shell(stack: Stack, uuidgen: Path | None) -> dict[str, str]:
    """The environment of a shell that documents' commands are pasted into."""
    path = stack.environment["PATH"]
    return stack.environment | {"PATH": f"{uuidgen}{os.pathsep}{path}" if uuidgen else path}

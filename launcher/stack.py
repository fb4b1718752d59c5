"""The servers that the application needs, the lock of a running stack, and the record of its settings."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg2
import redis

from launcher.children import follow_parent, last_lines
from launcher.embedded import DATABASE, OWNER, EmbeddedPostgres, EmbeddedRedis
from launcher.environment import VAR, read_exports, with_programs, write_exports
from launcher.errors import LauncherError
from launcher.paths import PROJECT
from launcher.service_user import Say

RUNNING = VAR / "run.env"
"""The environment of the running stack, for commands beside it: `set -a; . var/run.env; flask …`."""

NOT_RECORDED = ("PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "_", "TERM")


@contextmanager
def sole_instance() -> Iterator[None]:
    """Hold the lock of var/: one launcher at a time works with the data there."""
    VAR.mkdir(parents=True, exist_ok=True)
    with (VAR / "launcher.lock").open("a+") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise LauncherError(
                f"Malipo is already running here (process {lock.read().strip() or 'unknown'}): stop it first."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def is_running() -> bool:
    """Whether a launcher holds the lock of var/."""
    try:
        with sole_instance():
            return False
    except LauncherError:
        return True


@contextmanager
def servers(environment: dict[str, str], say: Say) -> Iterator[Path | None]:
    """Start what DATABASE_URL and REDIS_URL do not name, put the URLs there, and stop it at the end.

    Yields the embedded Postgres's data folder, or None when the caller brought a Postgres.
    """
    data = None
    with ExitStack() as stack:
        if not environment.get("DATABASE_URL"):
            say("Starting PostgreSQL.")
            postgres = stack.enter_context(EmbeddedPostgres(VAR / "postgres", say=say))
            if not postgres.has_database(DATABASE):
                postgres.create_database(DATABASE)
            environment["DATABASE_URL"] = postgres.url()
            environment["DATABASE_OWNER_URL"] = postgres.url(OWNER)
            data = postgres.data
        else:
            check_database(environment["DATABASE_URL"])
        if not environment.get("REDIS_URL"):
            say("Starting Redis.")
            environment["REDIS_URL"] = stack.enter_context(EmbeddedRedis(VAR / "redis", say=say)).url()
        else:
            check_redis(environment["REDIS_URL"])
        yield data


def check_database(url: str) -> None:
    """LauncherError, without the URL's password, when the caller's Postgres cannot be reached."""
    try:
        psycopg2.connect(url.replace("+psycopg2", "", 1), connect_timeout=5).close()
    except psycopg2.Error as error:
        raise LauncherError(f"DATABASE_URL cannot be used: {str(error).strip()}") from None


def check_redis(url: str) -> None:
    """LauncherError, without the URL's password, when the caller's Redis cannot be reached."""
    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
    except (redis.exceptions.RedisError, ValueError) as error:
        raise LauncherError(f"REDIS_URL cannot be used: {error}") from None


@contextmanager
def recorded_settings(environment: Mapping[str, str]) -> Iterator[None]:
    """Keep the running stack's settings in var/run.env (0600) for as long as it runs."""
    ours = {
        name: value
        for name, value in environment.items()
        if name not in NOT_RECORDED and os.environ.get(name) != value
    }
    write_exports(RUNNING, ours)
    try:
        yield
    finally:
        RUNNING.unlink(missing_ok=True)


def running_environment() -> dict[str, str]:
    """The environment of the running stack; LauncherError when none is recorded."""
    kept = read_exports(RUNNING)
    if not kept:
        raise LauncherError("Malipo is starting or stopping: try again in a moment.")
    return with_programs(os.environ | kept)


def flask(*arguments: str, environment: Mapping[str, str]) -> None:
    """Run one flask command to its end; LauncherError with its last lines when it fails."""
    log = VAR / "flask.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["flask", *arguments],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=follow_parent(),  # noqa: PLW1509 - two system calls, nothing that locks
        )
        try:
            status = process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if status != 0:
        name = " ".join(arguments)
        raise LauncherError(
            f"`flask {name}` failed (exit status {status}). Its last lines:\n{last_lines(log, 15)}"
        )


def clear(say: Say) -> None:
    """Remove the embedded servers' data and the application's files; secrets stay."""
    EmbeddedPostgres(VAR / "postgres", say=say).destroy()
    EmbeddedRedis(VAR / "redis", say=say).destroy()
    shutil.rmtree(VAR / "files", ignore_errors=True)

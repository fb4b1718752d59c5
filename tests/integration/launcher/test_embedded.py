"""The embedded servers: what they promise to `make run` and to every other test."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from launcher import paths
from launcher.embedded import APPLICATION, OWNER, SUPERUSER, EmbeddedPostgres, EmbeddedRedis
from launcher.errors import LauncherError
from tests.integration.launcher.stand_in import PROJECT, wait_for

QUICK = {"fsync": "off"}


@pytest.fixture(scope="module")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A server that tests stop and kill; each leaves it running."""
    server = EmbeddedPostgres.temporary(options=QUICK)
    server.start()
    server.create_database("shop")
    yield server
    server.destroy()


def ask(server: EmbeddedPostgres, query: str, *, role: str = SUPERUSER, database: str = "shop") -> object:
    connection = psycopg2.connect(server.url(role, database))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0] if cursor.description else None  # type: ignore[index]
    finally:
        connection.close()


def test_it_is_postgres_18_with_unicode_in_code_point_order(postgres: EmbeddedPostgres) -> None:
    assert str(ask(postgres, "SHOW server_version")).startswith("18.")
    assert ask(postgres, "SELECT 'É' > 'z' AND lower('É') = 'é'") is True


def test_the_application_and_the_owner_are_not_superusers(postgres: EmbeddedPostgres) -> None:
    for role in (APPLICATION, OWNER):
        assert ask(postgres, "SELECT usesuper FROM pg_user WHERE usename = current_user", role=role) is False


def test_a_database_is_the_owners_and_the_application_only_connects(postgres: EmbeddedPostgres) -> None:
    ask(postgres, "CREATE TABLE theirs ()", role=OWNER)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(postgres, "CREATE TABLE mine ()", role=APPLICATION)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(postgres, "CREATE TEMPORARY TABLE mine ()", role=APPLICATION)


def test_connections_need_a_password(postgres: EmbeddedPostgres) -> None:
    for role in (SUPERUSER, OWNER, APPLICATION):
        secret = psycopg2.extensions.parse_dsn(postgres.url(role, "shop"))["password"]
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(postgres.url(role, "shop").replace(secret, "guess"))


def test_it_listens_on_a_private_socket_only(postgres: EmbeddedPostgres) -> None:
    assert postgres.pid is not None
    process = psutil.Process(postgres.pid)
    assert process.net_connections("tcp") == []
    folder = Path(psycopg2.extensions.parse_dsn(postgres.url())["host"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_passwords_are_in_no_command_line_and_no_log(postgres: EmbeddedPostgres) -> None:
    assert postgres.pid is not None
    secret = psycopg2.extensions.parse_dsn(postgres.url())["password"]
    assert secret not in " ".join(psutil.Process(postgres.pid).cmdline())
    assert secret not in postgres.log.read_text()


def test_failed_statements_leave_no_values_in_the_log(postgres: EmbeddedPostgres) -> None:
    """Breaks with Postgres' defaults: the statement is logged, and the key that exists already."""
    ask(postgres, "CREATE TABLE people (email text PRIMARY KEY)")
    ask(postgres, "INSERT INTO people VALUES ('jane@example.com')")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        ask(postgres, "INSERT INTO people VALUES ('jane@example.com')")
    ask(postgres, "DROP TABLE people")
    log = postgres.log.read_text()
    assert "duplicate key" in log
    assert "jane@example.com" not in log
    assert stat.S_IMODE(postgres.log.stat().st_mode) == 0o600


def test_a_copy_of_a_database_has_its_rows_and_its_rights(postgres: EmbeddedPostgres) -> None:
    ask(postgres, "CREATE TABLE goods AS SELECT 7 AS price", role=OWNER)
    ask(postgres, "GRANT SELECT ON goods TO malipo_app", role=OWNER)
    postgres.create_database("copy", template="shop")
    ask(postgres, "DROP TABLE goods", role=OWNER)
    assert ask(postgres, "SELECT price FROM goods", role=APPLICATION, database="copy") == 7
    postgres.drop_database("copy")
    assert not postgres.has_database("copy")


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_committed_rows_survive_at_the_same_url(postgres: EmbeddedPostgres, how: str) -> None:
    ask(postgres, "CREATE TABLE goods AS SELECT 7 AS price", role=OWNER)
    before = postgres.url()
    if how == "restart":
        postgres.restart()
    else:
        postgres.kill()
        assert postgres.pid is None
        postgres.start()
    assert postgres.url() == before
    assert ask(postgres, "SELECT price FROM goods") == 7
    ask(postgres, "DROP TABLE goods", role=OWNER)


def test_it_starts_again_after_its_postmaster_alone_was_killed(postgres: EmbeddedPostgres) -> None:
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGKILL)
    wait_for(lambda: postgres.pid is None, "the server is seen to be gone")
    postgres.start()
    assert ask(postgres, "SELECT 1") == 1


def test_a_stale_pid_file_that_names_a_living_process_does_not_block(postgres: EmbeddedPostgres) -> None:
    postgres.stop()
    innocent = subprocess.Popen(["sleep", "60"])
    try:
        pid_file = postgres.data / "postmaster.pid"
        pid_file.write_text(f"{innocent.pid}\n{postgres.data}\n0\n5432\n/nowhere\n\n0 0\nready   \n")
        postgres.start()
        assert ask(postgres, "SELECT 1") == 1
        assert innocent.poll() is None, "an unrelated process was stopped"
    finally:
        innocent.kill()
        innocent.wait()


LAUNCH = """
import os, sys, threading
from launcher.embedded import EmbeddedPostgres, EmbeddedRedis
server = {"postgres": EmbeddedPostgres, "redis": EmbeddedRedis}[sys.argv[1]](sys.argv[2])
def start():
    server.start()
    print(server.pid, flush=True)
    sys.stdin.read()
if sys.argv[3] == "thread":
    threading.Thread(target=start).start()
else:
    start()
"""


def launch_and_kill(kind: str, folder: Path, thread: str) -> int:
    """Start a server in another process and SIGKILL that process; returns the server's id."""
    other = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, kind, str(folder), thread],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout is not None
    pid = int(other.stdout.readline())
    with pytest.raises(LauncherError, match="under another launcher"):
        {"postgres": EmbeddedPostgres, "redis": EmbeddedRedis}[kind](folder).start()
    other.kill()
    other.communicate()
    return pid


@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_a_server_ends_with_a_killed_launcher_or_is_ended_by_the_next(kind: str, public_folder: Path) -> None:
    pid = launch_and_kill(kind, public_folder, "main")
    wait_for(lambda: not psutil.pid_exists(pid), f"{kind} has followed its launcher")

    # Started by a thread, the server is not tied to its launcher's end.
    pid = launch_and_kill(kind, public_folder, "thread")
    assert psutil.pid_exists(pid)
    messages: list[str] = []
    server = {"postgres": EmbeddedPostgres, "redis": EmbeddedRedis}[kind](public_folder, say=messages.append)
    with server:
        assert not psutil.pid_exists(pid)
        assert server.pid not in (None, pid)
    assert any("earlier run had left behind" in line for line in messages)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="malipo-folder-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        wait_for(lambda: not running_below(folder), "the servers in the folder have ended")


def running_below(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["name"] in ("postgres", "redis-server")
        and str(process.info["cwd"]).startswith(str(folder))
    ]


def test_a_long_folder_name_is_no_obstacle(public_folder: Path) -> None:
    server = EmbeddedPostgres(public_folder / ("long" * 20) / ("longer" * 10), options=QUICK)
    with server:
        assert ask(server, "SELECT 1", database="postgres") == 1
    server.destroy()
    assert not paths.socket_folder(server.folder).exists()


def test_data_without_its_passwords_is_refused_and_kept(public_folder: Path) -> None:
    server = EmbeddedPostgres(public_folder / "data", options=QUICK)
    with server:
        pass
    (server.folder / "passwords.json").unlink()
    with pytest.raises(LauncherError, match=r"no passwords\.json"):
        EmbeddedPostgres(server.folder, options=QUICK).start()
    assert (server.data / "PG_VERSION").exists()


def test_a_forked_child_does_not_stop_its_parents_server(postgres: EmbeddedPostgres) -> None:
    child = os.fork()
    if child == 0:
        try:
            postgres.stop()
            postgres.destroy()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert ask(postgres, "SELECT 1") == 1


def test_a_wrong_option_gives_the_servers_own_words() -> None:
    server = EmbeddedPostgres.temporary(options={**QUICK, "shared_buffers": "plenty"})
    try:
        with pytest.raises(LauncherError, match=r"did not start[\s\S]*shared_buffers"):
            server.start()
    finally:
        server.destroy()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root runs servers as another user")
def test_as_root_a_private_folder_stays_private_and_the_data_is_elsewhere() -> None:
    with tempfile.TemporaryDirectory(prefix="malipo-private-") as name:
        private = Path(name)
        messages: list[str] = []
        server = EmbeddedPostgres(private / "postgres", options=QUICK, say=messages.append)
        with server:
            assert server.pid is not None
            assert psutil.Process(server.pid).uids().effective != 0
            assert server.home.parent == paths.STATE
            assert ask(server, "SELECT 1", database="postgres") == 1
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert any("the data is in" in line for line in messages)

        (server.folder / "passwords.json").unlink()  # the clone was removed and made again
        with EmbeddedPostgres(server.folder, options=QUICK, say=messages.append) as again:
            assert ask(again, "SELECT 1", database="postgres") == 1
        assert "starting anew" in messages[-1]
        again.destroy()
        assert not again.home.exists()


def test_redis_wants_its_password_and_serves_no_other_machine() -> None:
    with EmbeddedRedis.temporary() as server:
        client = redis.Redis.from_url(server.url(3))
        client.set("key", "value")
        assert client.get("key") == b"value"
        open_client = redis.Redis(port=client.connection_pool.connection_kwargs["port"])
        with pytest.raises(redis.exceptions.AuthenticationError):
            open_client.ping()
        assert server.pid is not None
        process = psutil.Process(server.pid)
        assert {connection.laddr.ip for connection in process.net_connections("tcp")} == {"127.0.0.1"}
        assert client.connection_pool.connection_kwargs["password"] not in " ".join(process.cmdline())
        for each in (client, open_client):
            each.close()


def test_redis_comes_back_empty_at_the_same_url() -> None:
    with EmbeddedRedis.temporary() as server:
        url = server.url()
        with redis.Redis.from_url(url) as client:
            client.set("key", "value")
            server.kill()
            server.start()
            assert server.url() == url
            assert client.get("key") is None

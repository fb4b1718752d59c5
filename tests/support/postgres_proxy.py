"""A proxy in front of Postgres that drops a connection between a COMMIT and its answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

SOCKET = ".s.PGSQL.5432"

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"
"""The protocol's message of the statement COMMIT."""


class PostgresProxy:
    """`url` leads to the same database as the URL it was made from. `lost` counts answers that were not delivered."""

    def __init__(self, url: str, folder: Path) -> None:
        self._server = str(Path(str(make_url(url).query["host"])) / SOCKET)
        self.url = (
            make_url(url).update_query_dict({"host": str(folder)}).render_as_string(hide_password=False)
        )
        self.lost = 0
        self._is_armed = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_next_answer(self) -> None:
        """The next COMMIT reaches the server; its answer does not reach the client, whose connection is closed."""
        self._is_armed = True

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed: the test is over
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            for work in (self._requests, self._answers):
                threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        while data := _received(client):
            if self._is_armed and data == COMMIT:
                self._is_armed = False
                self.lost += 1
                client.shutdown(socket.SHUT_WR)
            server.sendall(data)
        server.close()

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        while data := _received(server):
            try:
                client.sendall(data)
            except OSError:  # its connection was closed
                break
        client.close()


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(65_536)
    except OSError:
        return b""


@contextmanager
def postgres_proxy(url: str, folder: Path) -> Iterator[PostgresProxy]:
    """A proxy whose socket is in `folder`, with a path short enough for a Unix socket."""
    proxy = PostgresProxy(url, folder)
    try:
        yield proxy
    finally:
        proxy.close()

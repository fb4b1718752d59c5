"""gunicorn's threaded worker, whose threads stay with their connection for a moment.

gunicorn gives a kept-alive connection back to its main loop after every answer: two hand-overs between threads for each request.
Here the thread waits for the next request itself, while there is a thread for every connection.

gunicorn's main loop also closes connections, and waits up to two seconds for the client to close its side: meanwhile no other client
is answered. Here the thread closes its connection itself.
"""

from __future__ import annotations

import select
from typing import Any, Final

from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker

STAY_MS: Final = 20
"""How long a thread waits for the next request of its connection."""


CLOSING_S: Final = 0.25
"""How long a thread waits for the client to close its side."""


class StayingThreadWorker(ThreadWorker):
    def handle(self, conn: Any) -> Any:
        result = super().handle(conn)
        while result is True and self.alive and not conn.is_http2 and self._has_more(conn):
            result = super().handle(conn)
        if not result:
            util.close_graceful(conn.sock, timeout=CLOSING_S)
            conn.close = _is_closed
        return result

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Requests that wait for events are answered now: the others get the grace to end."""
        if (app := getattr(self, "wsgi", None)) is not None:  # it may not have been loaded yet
            app.extensions["event_waits"].stop()
        super().handle_exit(sig, frame)

    def _has_more(self, conn: Any) -> bool:
        """Whether the connection's next request has come, or comes within STAY_MS."""
        if conn.parser.unreader.buf.getvalue():
            return True
        if self.nr_conns > self.cfg.threads:
            return False
        poll = select.poll()
        poll.register(conn.sock, select.POLLIN)
        return bool(poll.poll(STAY_MS))


def _is_closed(graceful: bool = False) -> None:
    """What closing again does."""

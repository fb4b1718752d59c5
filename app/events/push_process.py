"""The process that pushes, a child of the relay's: `PushLoop` there, the relay's way of waking it here.

A pipe leads from the relay to its child: a byte is a wake-up or the order to stand by, its end is the relay's end, however
that came. The child is forked before the relay opens a connection or starts a thread.
"""

from __future__ import annotations

import os
import select
import signal
from multiprocessing import get_context
from typing import Final

from app.events.push_loop import PushLoop

_WAKE: Final = b"w"
_STAND_BY: Final = b"s"
_MOST_BYTES: Final = 65_536
"""Read at once: as much as a pipe holds."""

STOP_TIMEOUT_S: Final = 5.0
"""How long the child may take to save its progress when the relay stops."""


class PushProcessEnded(Exception):
    """The child is gone."""

    def __init__(self) -> None:
        super().__init__(
            "The process that pushes has ended unexpectedly; the relay ends, to be started again."
        )


class PushProcess:
    """The child, as the relay sees it."""

    def __init__(self, loop: PushLoop) -> None:
        """Fork the child, which runs `loop`."""
        reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._process = get_context("fork").Process(
            target=_run, args=(loop, reading, self._writing), name="push"
        )
        self._process.start()
        os.close(reading)

    def wake(self) -> None:
        """The relay is active and has published. Raises PushProcessEnded."""
        self._tell(_WAKE)

    def stand_by(self) -> None:
        """The relay is not active: the child gives up its connection. Raises PushProcessEnded."""
        if not self._tell(_STAND_BY):
            # It has not read for minutes and would miss this, so it must not go on.
            self._process.kill()

    def check(self) -> None:
        """Raises PushProcessEnded."""
        if not self._process.is_alive():
            raise PushProcessEnded

    def stop(self) -> None:
        """End the child, which saves its progress first."""
        os.close(self._writing)
        self._process.join(STOP_TIMEOUT_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _tell(self, order: bytes) -> bool:
        """False: the pipe is full."""
        try:
            os.write(self._writing, order)
        except BlockingIOError:
            return False
        except BrokenPipeError:
            raise PushProcessEnded from None
        return True


class _Orders:
    """The child's end of the pipe."""

    def __init__(self, reading: int) -> None:
        self._reading = reading
        self.is_over = self.is_active = False

    def wait(self, timeout_s: float | None) -> None:
        ready, _, _ = select.select([self._reading], [], [], timeout_s)
        if not ready:
            return
        orders = os.read(self._reading, _MOST_BYTES)
        self.is_over = not orders
        self.is_active = orders.endswith(_WAKE)


def _run(loop: PushLoop, reading: int, writing: int) -> None:
    os.close(writing)
    # Ctrl-C and the supervisor's signals are for the relay, whose end ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    loop.run(_Orders(reading))

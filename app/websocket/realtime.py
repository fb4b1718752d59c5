"""Starts the realtime process: `python -m app.websocket.realtime`."""

from __future__ import annotations

import os
import sys
from typing import Final

PROGRAM: Final = """
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # eventlet warns at every start that only its faults are mended
    import eventlet
eventlet.monkey_patch()
from app.websocket.eventlet_server import main
main()
"""


def main() -> None:
    # `python -m` has imported the package already, and Flask and its locks with it. Eventlet's patch must come
    # before them, so the interpreter starts again.
    os.execv(sys.executable, [sys.executable, "-c", PROGRAM])  # noqa: S606 our own interpreter


if __name__ == "__main__":
    main()

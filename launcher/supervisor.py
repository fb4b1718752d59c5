"""Runs the Procfile's processes side by side, and ends them all when one of them ends or on request.

The lines are parsed and the output is printed by honcho. Its own manager is not used: it puts a forked Python
between us and each process, and these forks outlive a launcher that is killed.
"""

from __future__ import annotations

import shlex
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from honcho.colour import get_colours  # type: ignore[import-untyped]
from honcho.environ import parse_procfile  # type: ignore[import-untyped]
from honcho.printer import Message, Printer  # type: ignore[import-untyped]

from launcher.children import follow_parent, signal_session
from launcher.errors import LauncherError

LINES_KEPT = 15
PATIENCE_S = 5.0  # gunicorn gives its requests 3 s


@dataclass
class RunningProcess:
    """One running process of the gateway."""

    name: str
    colour: str
    process: subprocess.Popen[bytes]
    reader: threading.Thread | None = None
    last_lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))


class Supervisor:
    """The processes of one Procfile. Start it from the main thread."""

    def __init__(self, printer: Printer | None = None) -> None:
        self._running: list[RunningProcess] = []
        self._printer = printer or Printer()
        self._printing = threading.Lock()

    def start(
        self,
        procfile: Path,
        *,
        cwd: Path,
        environment: Mapping[str, str],
        without: Collection[str] = (),
    ) -> None:
        """Start every process of the file but those named in `without`; LauncherError when a program is missing."""
        listed: dict[str, str] = parse_procfile(procfile.read_text()).processes
        commands = {name: command for name, command in listed.items() if name not in without}
        self._printer.width = max(map(len, commands))
        for (name, command), colour in zip(commands.items(), get_colours(), strict=False):
            self._running.append(self._start_one(name, command, colour, cwd=cwd, environment=environment))

    def _start_one(
        self, name: str, command: str, colour: str, *, cwd: Path, environment: Mapping[str, str]
    ) -> RunningProcess:
        try:
            process = subprocess.Popen(
                shlex.split(command),
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C at the terminal reaches only us
                preexec_fn=follow_parent(),  # noqa: PLW1509 - two system calls, nothing that locks
            )
        except FileNotFoundError as error:
            raise LauncherError(f"The process {name} cannot start: there is no {error.filename}.") from error
        running = RunningProcess(name=name, colour=colour, process=process)
        running.reader = threading.Thread(target=self._relay_output, args=(running,), daemon=True)
        running.reader.start()
        return running

    def _relay_output(self, running: RunningProcess) -> None:
        assert running.process.stdout is not None
        for raw in running.process.stdout:
            line = raw.decode("utf-8", "replace").rstrip()
            running.last_lines.append(line)
            # When our own output is gone, go on reading: a full pipe would stop the process.
            with suppress(OSError, ValueError), self._printing:
                self._printer.write(
                    Message("line", line, datetime.now().astimezone(), running.name, running.colour)
                )

    def check(self) -> None:
        """LauncherError that names the first process found to have ended, with its last lines."""
        for running in self._running:
            if (status := running.process.poll()) is not None:
                raise LauncherError(_end_report(running, status))

    def stop(self) -> None:
        """SIGTERM to all, SIGKILL after 5 s to whatever is left of them; returns when nothing is."""
        _send(self._running, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE_S
        for running in self._running:
            with suppress(subprocess.TimeoutExpired):
                running.process.wait(max(0.0, deadline - time.monotonic()))
        for running in self._running:
            signal_session(running.process.pid, signal.SIGKILL)
            running.process.wait()
            if running.reader is not None:
                running.reader.join(1)
        self._running.clear()


def _send(processes: Iterable[RunningProcess], number: signal.Signals) -> None:
    for running in processes:
        if running.process.poll() is None:
            running.process.send_signal(number)


def _end_report(running: RunningProcess, status: int) -> str:
    how = f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"
    if running.reader is not None:
        running.reader.join(1)
    lines = "".join(f"\n  {line}" for line in running.last_lines)
    ending = f"The process {running.name} ended unexpectedly ({how}); the rest was stopped."
    return f"{ending} Its last lines:{lines}" if lines else f"{ending} It had printed nothing."

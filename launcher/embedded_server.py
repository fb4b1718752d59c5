"""What the embedded servers share: a folder, a lock on it, one child process."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from launcher.children import kill_tree, last_lines, wait_until
from launcher.errors import LauncherError
from launcher.service_user import Say, say_on_stderr

START_TIMEOUT_S = 60  # crash recovery of a large cluster takes its time


class EmbeddedServer:
    """Start, stop, kill and restart; a subclass defines what is started and when it is ready."""

    name: str

    def __init__(self, folder: Path | str, *, say: Say = say_on_stderr) -> None:
        self.folder = Path(folder).resolve()
        self.log = self.folder / f"{self.name}.log"
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._starter = 0
        self._at_end: Callable[[], None] = self.stop

    @classmethod
    def temporary(cls, **arguments: Any) -> Self:
        """A server in a new folder under the temporary folder, which is removed when this process ends."""
        folder = Path(tempfile.mkdtemp(prefix=f"malipo-{cls.name}-"))
        folder.chmod(0o711)  # as root the server's own user passes through; no other user may list it
        server = cls(folder, **arguments)
        server._at_end = server.destroy
        return server

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._at_end()

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start the server and return when it answers; does nothing when it already runs."""
        if self.pid is not None:
            return
        self._release()  # it may have died by itself
        self.folder.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        if not self._starter:
            atexit.register(self._at_end)
        self._starter = os.getpid()
        try:
            self._start()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Shut down in order, keeping the data; harmless when it does not run."""
        if self._starter not in (0, os.getpid()):
            return  # a forked child is not the owner
        if self._process is not None:
            self._stop(self._process)
        self._release()

    def kill(self) -> None:
        """SIGKILL to the server and every child of it, as a power cut would: for fault tests."""
        if self._process is not None:
            kill_tree(self._process.pid)
            self._process.wait()
        self._release()

    def restart(self) -> None:
        """Stop when running, then start again: same folder, same URL."""
        self.stop()
        self.start()

    def destroy(self) -> None:
        """Stop, and remove the folder with everything in it."""
        if self._starter not in (0, os.getpid()):
            return
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        raise NotImplementedError

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        raise NotImplementedError

    def _take_lock(self) -> None:
        # A record lock belongs to this process alone: forked children do not keep it.
        self._lock = (self.folder / f"{self.name}.lock").open("a+")
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            self._lock = None
            raise LauncherError(
                f"{self.name} in {self.folder} already runs under another launcher: stop that one first."
            ) from None

    def _release(self) -> None:
        self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _wait_ready(self, process: subprocess.Popen[bytes], is_ready: Callable[[], bool]) -> None:
        wait_until(
            lambda: process.poll() is not None or is_ready(),
            f"{self.name} did not answer within {START_TIMEOUT_S} s; its log is {self.log}.",
            timeout_s=START_TIMEOUT_S,
        )
        if process.poll() is not None:
            raise LauncherError(f"{self.name} did not start. The end of {self.log}:\n{last_lines(self.log)}")

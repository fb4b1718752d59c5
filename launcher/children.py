"""Child processes that end when we do, and the ways to wait for them and to end them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from launcher.errors import LauncherError
from launcher.service_user import ServiceUser

PR_SET_PDEATHSIG = 1
LOG_KEPT_BYTES = 10_000_000

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn(
    argv: Sequence[str],
    log: Path,
    *,
    cwd: Path,
    user: ServiceUser | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    stdin: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start argv in a session of its own (a Ctrl-C at the terminal reaches only us), writing to the log file, which only
    this user can read.

    On Linux the kernel sends it death_signal when we die, however we die.
    """
    _rotate(log)
    log.touch(mode=0o600)
    log.chmod(0o600)  # where it was there already
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=plain_environment(),
            start_new_session=True,
            preexec_fn=follow_parent(death_signal),  # noqa: PLW1509 - two system calls, nothing that locks
            **(user.popen_arguments() if user else {}),
        )
    if process.stdin is not None:
        process.stdin.write((stdin or "").encode())
        process.stdin.close()
    return process


def plain_environment() -> dict[str, str]:
    """An environment with no secret of ours and no PG* variable of the caller's in it."""
    kept = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "TZ")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}


def follow_parent(death_signal: signal.Signals = signal.SIGTERM) -> Callable[[], None] | None:
    """For preexec_fn: the kernel sends the child death_signal when we die. None where that cannot be had."""
    # The kernel ties the signal to the parent's thread, not its process: a child started by a thread that
    # ends would be stopped at once. Such children are cleaned up by the next start instead.
    if _libc is None or threading.current_thread() is not threading.main_thread():
        return None
    parent = os.getpid()

    def follow() -> None:
        # Runs after the change of user, which would have cleared the setting.
        _libc.prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:
            os._exit(1)

    return follow


def _rotate(log: Path) -> None:
    with suppress(FileNotFoundError):
        if log.stat().st_size > LOG_KEPT_BYTES:
            log.replace(log.with_suffix(".old.log"))


def last_lines(log: Path, count: int = 8) -> str:
    """The end of a log, for an error message; empty when there is none."""
    with suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
    return ""


def wait_until(condition: Callable[[], bool], message: str, *, timeout_s: float) -> None:
    """Poll the condition every 10 ms; LauncherError(message) when it has not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise LauncherError(message)
        time.sleep(0.01)


def end(process: subprocess.Popen[bytes], *signals: signal.Signals, patience_s: float = 10) -> None:
    """Send each signal in turn until the process is gone, SIGKILL at last; reap it."""
    for number in (*signals, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)


def kill_tree(pid: int) -> None:
    """SIGKILL a process and all below it, and wait until the kernel has let go of every one."""
    try:
        parent = psutil.Process(pid)
        processes = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)


def kill_group(group: int) -> None:
    """SIGKILL a process group, and wait until the kernel has closed what its processes had open.

    Until then a connection to one of them looks alive. Who reaps orphans may never do so: a zombie has ended.
    """
    processes = [process for process in psutil.process_iter() if _group_of(process) == group]
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
    wait_until(
        lambda: all(_has_ended(process) for process in processes),
        f"Processes of group {group} did not end within 10 s.",
        timeout_s=10,
    )


def _group_of(process: psutil.Process) -> int | None:
    with suppress(ProcessLookupError):
        return os.getpgid(process.pid)
    return None


def _has_ended(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def running_in(folder: Path, name: str) -> list[psutil.Process]:
    """Processes of that name whose working folder is this one: servers left over from a crash."""
    found = []
    for process in psutil.process_iter(["name"]):
        with suppress(psutil.Error):
            if process.info["name"] == name and process.cwd() == str(folder):
                found.append(process)
    return found


def end_leftovers(folder: Path, name: str, *, polite: signal.Signals) -> int:
    """End the servers a crashed launcher left running in the folder; returns how many there were."""
    leftovers = running_in(folder, name)
    for number in (polite, signal.SIGKILL):
        for process in leftovers:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        _, alive = psutil.wait_procs(leftovers, timeout=10)
        if not alive:
            break
    return len(leftovers)


def signal_session(leader: int, number: signal.Signals) -> None:
    """Signal every process of the session a child of ours leads; harmless when none is left."""
    with suppress(ProcessLookupError):
        os.killpg(leader, number)

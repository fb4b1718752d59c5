"""The service user: the system user that runs the embedded servers when the launcher is root.

Postgres refuses to run as root. When the launcher is not root, the servers run as the launcher's own user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "malipo"
FALLBACK = "nobody"

Say = Callable[[str], None]


def say_on_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class ServiceUser:
    """The system user that the servers run as."""

    name: str
    uid: int
    gid: int

    def popen_arguments(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, folder: Path) -> bool:
        """Whether this user reaches the folder: asked of the kernel, so ACLs and mounts count too."""
        try:
            done = subprocess.run(
                ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)],
                **self.popen_arguments(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                check=False,
            )
        except OSError:
            return False
        return done.returncode == 0

    def own(self, path: Path) -> None:
        """Give a folder of ours, and everything in it, to this user."""
        os.chown(path, self.uid, self.gid)
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.chown(os.path.join(folder, name), self.uid, self.gid, follow_symlinks=False)


def find_service_user(say: Say = say_on_stderr) -> ServiceUser | None:
    """The user for the servers: None (our own) unless we are root. It is created when it is missing, and `say`
    reports that."""
    if os.geteuid() != 0:
        return None
    if (user := _find(NAME)) is not None:
        return user
    if _make():
        say(f"Postgres does not run as root: made the system user {NAME} for it.")
    # Another launcher may be making the same user at this moment; it appears when that one is done.
    for _ in range(20):
        if (user := _find(NAME)) is not None:
            return user
        if shutil.which("useradd", path=_system_path()) is None:
            break
        time.sleep(0.1)
    say(f"Postgres does not run as root and the user {NAME} could not be made: it runs as {FALLBACK}.")
    return _find(FALLBACK)


def _find(name: str) -> ServiceUser | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return ServiceUser(name=name, uid=entry.pw_uid, gid=entry.pw_gid)


def _make() -> bool:
    useradd = shutil.which("useradd", path=_system_path())
    if useradd is None:
        return False
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    shell = shutil.which("nologin", path=_system_path()) or "/bin/false"
    done = subprocess.run([useradd, *options, "--shell", shell, NAME], capture_output=True, check=False)
    return done.returncode == 0


def _system_path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"

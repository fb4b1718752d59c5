"""`make provider NAME=acme`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from scaffold import skeleton

ROOT: Final = Path(__file__).resolve().parents[1]

_SETTINGS: Final = """
import sys
from pathlib import Path
from app.providers import PROVIDERS
from scaffold import settings
settings.write(Path("."), PROVIDERS[sys.argv[1]])
"""
"""In a process of its own: the registry has the new provider by then."""


def main() -> None:
    """Write the skeleton, format it, and say what comes next."""
    if len(sys.argv) != 2:
        sys.exit("usage: make provider NAME=acme")
    name = sys.argv[1]
    try:
        written = skeleton.write(ROOT, name)
    except skeleton.CannotWrite as error:
        sys.exit(str(error))
    python = [str(path) for path in written if path.suffix == ".py"]
    for command in (
        ["ruff", "check", "--select", "I", "--fix", "--quiet", *python],
        ["ruff", "format", "--quiet", *python],
    ):
        subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True)
    subprocess.run([sys.executable, "-c", _SETTINGS, name], cwd=ROOT, check=True)
    names = [*(str(path) for path in written), ".env.example", "docker-compose.yml"]
    sys.stdout.write("\n".join(names) + "\n")
    sys.stdout.write(f"Next: pytest tests/providers/contract -k {name}, and docs/adding-a-provider.md.\n")


if __name__ == "__main__":
    main()

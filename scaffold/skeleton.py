"""The files of docs/adding-a-provider.md, and the lines in the files that name every provider, for another name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

PAGE: Final = Path("docs/adding-a-provider.md")
_BLOCK: Final = re.compile(r"^```\w+ (\S+/\S+)\n(.*?)^```$", re.M | re.S)
_NAME: Final = re.compile(r"[a-z][a-z0-9]{1,19}")


class CannotWrite(Exception):
    """The skeleton cannot be written; the message says why. Nothing was written."""


def write(root: Path, name: str) -> list[Path]:
    """Write the skeleton of provider `name` into the tree at `root`; the files that were written or changed, relative to it.

    `.env.example` and docker-compose.yml come afterwards (`settings.write`), from the adapter. Raises CannotWrite.
    """
    if not _NAME.fullmatch(name):
        raise CannotWrite("A provider's name is 2 to 20 small letters and digits, and begins with a letter.")
    files = {Path(_named(path, name)): _named(text, name) for path, text in _blocks(root)}
    if taken := sorted(str(path) for path in files if (root / path).exists()):
        raise CannotWrite(f"There is {taken[0]} already.")
    changed = {path: _with_lines(root / path, lines) for path, lines in _lines(name).items()}
    for path, text in (files | changed).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return sorted(files | changed)


def _blocks(root: Path) -> list[tuple[str, str]]:
    return _BLOCK.findall((root / PAGE).read_text())


def _named(text: str, name: str) -> str:
    return text.replace("acme", name).replace("Acme", name.capitalize()).replace("ACME", name.upper())


def _lines(name: str) -> dict[Path, list[tuple[str, str]]]:
    """File → pairs of an anchor and the line that follows it."""
    provider = f"{name.capitalize()}Provider"
    return {
        Path("app/providers/__init__.py"): [
            (
                "from app.providers.base import Provider\n",
                f"from app.providers.{name} import {provider}\n",
            ),
            ("    CPayProvider,\n", f"    {provider},\n"),
        ],
        Path("app/sandbox/app.py"): [
            ("from app.sandbox.core import Sandbox, SandboxSettings\n", f"from app.sandbox import {name}\n"),
            (
                "SIMULATORS: Final[Mapping[str, Callable[[Sandbox], Blueprint]]] = {\n",
                _entry(name, f"{name}.make_blueprint"),
            ),
        ],
        Path("app/sandbox/api.py"): [("TITLES: Final = {\n", _entry(name, f'"{name.capitalize()}"'))],
        Path("app/sandbox/dashboard.py"): [
            (
                "MappingProxyType(\n    {\n",
                f'        "{name}": {{"secret_key": "{name}-sandbox-key", "webhook_secret": "{name}-sandbox-hook"}},\n',
            )
        ],
    }


def _entry(name: str, value: str) -> str:
    return f'    "{name}": {value},\n'


def _with_lines(path: Path, lines: list[tuple[str, str]]) -> str:
    text = path.read_text()
    for anchor, line in lines:
        if text.count(anchor) != 1:
            raise CannotWrite(f"{path.name} has changed: {anchor.strip()!r} is not there once.")
        text = text.replace(anchor, anchor + line)
    return text

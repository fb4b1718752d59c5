"""Migrations by name, for tests of what one does to existing rows."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parents[2] / "migrations"


def migration(name: str) -> ModuleType:
    """The module of the migration whose file's name ends with `name`."""
    scripts = ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    (script,) = [one for one in scripts if one.path.endswith(f"_{name}.py")]
    return script.module

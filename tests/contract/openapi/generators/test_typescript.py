"""openapi-typescript makes types of the document, and a program that uses them compiles."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.node import run


def test_types_compile(javascript: Path, document_file: Path, tmp_path: Path) -> None:
    types = tmp_path / "api.d.ts"
    made = run(javascript, "openapi-typescript/bin/cli.js", str(document_file), "--output", str(types))
    output = made.stdout + made.stderr
    assert made.returncode == 0 and "warn" not in output.lower(), output
    shutil.copy(javascript / "use.ts", tmp_path)
    compiled = run(
        javascript,
        "typescript/bin/tsc",
        "--noEmit",
        "--strict",
        "--target",
        "es2022",
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
        str(tmp_path / "use.ts"),
        str(types),
    )
    assert compiled.returncode == 0, compiled.stdout

"""The provider of docs/adding-a-provider.md, written by `make provider` into a copy of the tree, passes the suite as it is."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scaffold import skeleton

ROOT = Path(__file__).parents[3]
PARTS = (
    "app",
    "launcher",
    "scaffold",
    "tests",
    "docs",
    "pyproject.toml",
    "Procfile",
    ".env.example",
    "docker-compose.yml",
)
SELECTION = ("test_registry.py", "test_callbacks.py", "test_charges.py", "test_refunds.py", "test_safety.py")
RULES = ("test_settings.py", "test_provider_names.py")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with two providers more: Acme as the page shows it, and one that cannot refund."""
    copy = tmp_path_factory.mktemp("tree")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(
                ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
            )
        else:
            shutil.copy(ROOT / part, copy / part)
    for name in ("acme", "bare"):
        must_pass(copy, "scaffold", name)
    return copy


def must_pass(folder: Path, module: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}{done.stderr[-2000:]}"


def without_refunds(copy: Path) -> None:
    """What the page says about a provider that cannot refund."""
    adapter = copy / "app/providers/bare/adapter.py"
    text = adapter.read_text()
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and node.name in ("_refund", "_inquire_refund"):
            lines[node.lineno - 1 : node.end_lineno] = [""] * (node.end_lineno - node.lineno + 1)
    text = "".join(lines).replace("{Kind.PAYMENT, Kind.REFUND}", "{Kind.PAYMENT}")
    for name in ("can_refund", "can_refund_partially", "can_refund_repeatedly"):
        text = text.replace(f"{name}=True", f"{name}=False")
    adapter.write_text(text)
    case = copy / "tests/providers/contract/cases/bare.py"
    kept = case.read_text().replace(', "refund": "refund"', "").replace(', "refund": UNHEARD_OF', "")
    case.write_text("".join(line for line in kept.splitlines(keepends=True) if "refund" not in line))


def test_what_is_written_is_clean(copy: Path) -> None:
    must_pass(copy, "ruff", "check", "--no-cache", "app", "tests/providers/contract", "scaffold")
    must_pass(copy, "ruff", "format", "--no-cache", "--check", "app", "tests/providers/contract", "scaffold")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_is_written_passes_the_suite(copy: Path) -> None:
    without_refunds(copy)
    files = [f"tests/providers/contract/{name}" for name in SELECTION]
    files += [f"tests/architecture/{name}" for name in RULES]
    selection = "acme or bare or test_settings or test_provider_names"
    must_pass(copy, "pytest", "-q", "-x", "-p", "no:cacheprovider", *files, "-k", selection)


def test_a_name_that_cannot_be_one_writes_nothing(copy: Path) -> None:
    before = sorted(copy.rglob("*.py"))
    for name in ("chapa", "Acme", "a", "../acme", "acme-pay"):
        with pytest.raises(skeleton.CannotWrite, match=r"already|small letters"):
            skeleton.write(copy, name)
    done = subprocess.run(
        [sys.executable, "-m", "scaffold", "chapa"], cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "already" in done.stderr
    assert sorted(copy.rglob("*.py")) == before

"""The direction of imports (pyproject.toml, [tool.importlinter])."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp

from tests.support.sources import trees

ROOT = Path(__file__).parents[2]


def test_imports_go_one_way() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout  # it has checked something


def test_no_module_imports_itself_through_others() -> None:
    """Imports for type checkers and inside functions count, too."""
    graph = grimp.build_graph("app", cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    assert len(imports) > 300
    TopologicalSorter(imports).prepare()  # raises CycleError, with the circle


def test_every_package_has_a_layer() -> None:
    """A new package of app/ must be put into a layer, or named here with the reason why it stands outside."""
    outside = {
        "app.config",
        "app.crypto",
        "app.logs",
        "app.metrics",
        "app.rate_limits",
        "app.redis_limits",
        "app.sandbox",
        "app.sliding_windows",
        "app.version",
    }
    text = (ROOT / "pyproject.toml").read_text()
    layers = {word.strip(' "|:,') for word in text.split('type = "layers"')[1].split("]")[0].split()}
    found = {f"app.{path.stem}" for path in (ROOT / "app").glob("*.py") if path.stem != "__init__"}
    found |= {f"app.{path.parent.name}" for path in (ROOT / "app").glob("*/__init__.py")}
    assert found - layers - outside == set()


def test_only_unit_of_work_commits() -> None:
    allowed = {"app/unit_of_work.py", "app/events/relay.py", "app/events/publisher.py"}
    """The relay runs on a connection of its own, which holds its lock."""
    assert _callers_of({"commit"}) - allowed == set()
    assert _callers_of({"commit"}), "the search finds nothing at all"


def test_only_config_reads_the_environment() -> None:
    assert _readers_of_environment() == {"app/config/loader.py", "app/config/sandbox.py"}


def test_only_clock_reads_the_time() -> None:
    """uuid7 orders ids by the machine's time and decides nothing; monotonic time measures durations."""
    found = _callers_of({"now", "utcnow", "today"}, of={"datetime", "date"})
    assert found == {"app/clock.py"}


def test_services_return_domain_objects() -> None:
    """Presenters of api/ and cli/ make JSON. Breaks when a public function of a service returns a dict, or `Any`."""
    found = {
        f"{path}:{node.name}"
        for path, tree in trees("app/services", having=r"->[^:]*\b(dict|Any)\b")
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if node.returns is not None and _names(node.returns) & {"dict", "Any"}
    }
    assert found == set()


def test_services_know_no_http() -> None:
    """Breaks when a service decides an HTTP status. idempotency_service.py stores a dialect's answer unread."""
    words = {"http_status", "HTTPStatus", "status_code", "Response", "jsonify", "request"}
    found = {
        f"{path}: {name}"
        for path, tree in trees("app/services", having="|".join(words))
        if path != "app/services/idempotency_service.py"
        for node in ast.walk(tree)
        if isinstance(node, (ast.ImportFrom, ast.Attribute, ast.Assign))
        for name in _imported_or_named(node) & words
    }
    assert found == set()


def _names(annotation: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}


def _imported_or_named(node: ast.ImportFrom | ast.Attribute | ast.Assign) -> set[str]:
    if isinstance(node, ast.ImportFrom):
        is_web = node.module in ("flask", "werkzeug", "http")
        return {alias.name for alias in node.names} if is_web else set()
    if isinstance(node, ast.Attribute):
        return {node.attr} & {"http_status", "status_code"}
    return {target.id for target in node.targets if isinstance(target, ast.Name)} & {"http_status"}


def _callers_of(names: set[str], *, of: set[str] | None = None) -> set[str]:
    return {
        path
        for path, tree in trees("app", having=rf"\.\s*({'|'.join(names)})\b")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in names
        and (of is None or (isinstance(node.func.value, ast.Name) and node.func.value.id in of))
    }


def _readers_of_environment() -> set[str]:
    return {
        path
        for path, tree in trees("app", having="environ|getenv")
        for node in ast.walk(tree)
        if (
            isinstance(node, ast.Attribute)
            and node.attr in ("environ", "environb", "getenv")
            and _is_os(node.value)
        )
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "os"
            and {"environ", "getenv"} & {a.name for a in node.names}
        )
    }


def _is_os(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "os"

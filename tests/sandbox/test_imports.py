"""The modules of the sandbox import each other without circles, and little else of the application."""

from __future__ import annotations

import grimp
import pytest

VALUES = {"app", "app.clock", "app.json_numbers", "app.logs", "app.config.loader"}
"""The modules outside the sandbox that it may import."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("app", cache_dir=None)


def test_no_module_imports_itself_through_others(graph: grimp.ImportGraph) -> None:
    modules = {name for name in graph.modules if name.startswith("app.sandbox.")}
    circles = [
        chain
        for module in modules
        for imported in graph.find_modules_directly_imported_by(module) & modules
        if (chain := graph.find_shortest_chain(importer=imported, imported=module))
    ]
    assert circles == []


def test_the_application_is_not_imported(graph: grimp.ImportGraph) -> None:
    imported = {
        other
        for name in graph.modules
        if name.startswith("app.sandbox")
        for other in graph.find_modules_directly_imported_by(name)
        if not other.startswith("app.sandbox")
    }
    assert imported <= VALUES

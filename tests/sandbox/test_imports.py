"""The modules of the sandbox import little of the application."""

from __future__ import annotations

import grimp

VALUES = {"app", "app.clock", "app.json_numbers", "app.logs", "app.config.sandbox", "app.config.setting"}
"""The modules outside the sandbox that it may import."""


def test_the_application_is_not_imported() -> None:
    graph = grimp.build_graph("app", cache_dir=None)
    imported = {
        other
        for name in graph.modules
        if name.startswith("app.sandbox")
        for other in graph.find_modules_directly_imported_by(name)
        if not other.startswith("app.sandbox")
    }
    assert imported <= VALUES

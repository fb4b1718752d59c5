"""Stack rules about the text of the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.sources import text_of, trees

ROOT = Path(__file__).parents[2]
MAX_LINES = 400


def _files(*folders: str, suffixes: tuple[str, ...] = (".py",)) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and not {"node_modules", "built"} & set(path.parts):
                yield path


def test_files_are_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in _files("app", "launcher", "tests", "bench", "migrations", suffixes=(".py", ".sql", ".js"))
        if (lines := text_of(path).count("\n")) >= MAX_LINES
    }
    assert long == {}


def test_no_error_is_swallowed_silently() -> None:
    silent = [
        f"{path}:{node.lineno}"
        for path, tree in trees("app", "launcher", having=r"\bpass\b")
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and all(isinstance(inner, ast.Pass) for inner in node.body)
    ]
    assert silent == []


def test_no_todo_comments() -> None:
    words = ("TO" + "DO", "FIX" + "ME", "HAC" + "K:")
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in _files("app", "launcher", "tests", "bench", suffixes=(".py", ".sql", ".js", ".html"))
        for word in words
        if word in text_of(path)
    ]
    assert found == []


def test_files_named_in_comments_and_pages_exist() -> None:
    """Paths of folders at the top, and paths below `app` without it. Breaks when a file moves and a comment stays."""
    top = re.compile(
        r"(?<![\w/.-])((?:app|docs|tests|launcher|bench|migrations|deploy)/[\w/.-]*\w\.(?:py|md|sql|yml|conf|sh))\b"
    )
    below_app = re.compile(
        r"(?<![\w/.-])((?:api|services|providers|models|http|events|ledger|websocket|worker|config)/[\w/]*\w\.(?:py|sql))\b"
    )
    samples = re.compile(
        r"\b(acme|bare)\b"
    )  # the providers that docs/adding-a-provider.md and its test write
    sources = [
        *_files("app", "launcher", "tests", "bench", "migrations", "docs", suffixes=(".py", ".sql", ".md"))
    ]
    sources += [
        ROOT / name for name in ("README.md", "CONTRIBUTING.md", ".env.example", "pyproject.toml", "Makefile")
    ]
    missing = {
        f"{path.relative_to(ROOT)}: {named}"
        for path in sources
        for pattern, folder in ((top, ROOT), (below_app, ROOT / "app"))
        if path.suffix != ".md" or pattern is top
        for named in pattern.findall(text_of(path))
        if not (folder / named).exists() and not (ROOT / named).exists() and not samples.search(named)
    }
    assert missing == set()


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*_files("docs", suffixes=(".md",)), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    broken = {
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / link).exists()
    }
    assert broken == set()


def test_tests_named_in_the_list_of_faults_exist() -> None:
    text = (ROOT / "docs" / "decisions" / "proving-the-faults.md").read_text()
    names = {path.stem for path in _files("tests")}
    named = set(re.findall(r"`(?:[\w/]+/)?(test_\w+)(?:\.py)?`", text))
    assert named and named <= names, named - names


def test_every_decision_is_in_the_list() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("0*.md")}


def test_every_module_has_a_docstring() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in _files("app", "launcher")
        if (text := text_of(path).strip())
        and not text.startswith('"""')
        and not ast.get_docstring(ast.parse(text))
    ]
    assert silent == []


def test_pages_have_no_inline_script() -> None:
    pages = list(_files("app", suffixes=(".html",)))
    assert pages
    for page in pages:
        text = page.read_text()
        assert text.count("<script") == text.count("<script src="), page
        assert not re.search(r"\son[a-z]+\s*=", text, re.I), f"{page} has an event attribute"
        assert not re.search(r"<style|\sstyle\s*=|javascript:", text, re.I), f"{page} has a style or a script"
        assert "http://" not in text and "https://" not in text and "//cdn" not in text, page


def test_templates_escape_everything() -> None:
    """Breaks with `|safe`, with markup made in Python, and with a page made past the one environment; the simulators have Flask's."""
    for page in _files("app", suffixes=(".html",)):
        assert not re.search(r"\|\s*safe\b|autoescape", text_of(page)), page
    assert [path for path, _ in trees("app", having=r"\bMarkup\b|render_template_string")] == []
    made = {path for path, _ in trees("app", having=r"jinja2|render_template")}
    assert {path for path in made if not path.startswith("app/sandbox/")} == {
        "app/web/pages.py",
        "app/services/mail/content.py",
    }
    assert "autoescape=True" in text_of(ROOT / "app/web/pages.py")
    # Mails have a plain text, too, in which nothing is escaped.
    assert 'select_autoescape(["html"])' in text_of(ROOT / "app/services/mail/content.py")
    for path in ("app/web/pages.py", "app/services/mail/content.py"):
        assert "undefined=StrictUndefined" in text_of(ROOT / path)

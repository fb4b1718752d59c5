"""The build of the scripts, with the npm of this machine: what it makes, twice at once, and every way it can fail."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import node

PROJECT = Path(__file__).parents[3]
SCRIPT = "socket.io.min.js"


class Project:
    """A copy of what the build reads, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.built = folder / "app" / "web" / "built"
        self.code = folder / "assets" / "build.py"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / "assets", folder / "assets", ignore=ignored)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "assets.build", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def build(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """The exit status, and what was printed."""
        process = self.start(*arguments, **environment)
        output, errors = process.communicate(timeout=100)
        return process.returncode, output + errors

    def found(self) -> dict[str, int]:
        """Name → time of the last change, of the files that were built."""
        return {file.name: file.stat().st_mtime_ns for file in self.built.iterdir()}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What npm installs of the lock file, without a build."""
    folder = tmp_path_factory.mktemp("packages")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PROJECT / "assets" / name, folder)
    node.install(folder)
    return folder / "node_modules"


@pytest.fixture
def closed_port() -> Iterator[str]:
    """A registry that refuses connections: the port is bound, and nothing listens there."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"


@pytest.fixture
def silent_port() -> Iterator[str]:
    """A registry that takes connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def test_of_two_builds_at_once_one_asks_npm(project: Project, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    first, second = (project.start(npm_config_logs_dir=str(logs)) for _ in range(2))
    for process in (first, second):
        assert process.communicate(timeout=100) == ("", "") and process.returncode == 0
    assert len(list(logs.iterdir())) == 1, "npm writes one log each time it runs"
    text = (project.built / SCRIPT).read_text()
    assert text.startswith("/*!") and "Released under the MIT License" in text[:200]
    assert project.found().keys() == {SCRIPT, "built-from"}
    assert not (project.folder / "assets" / "node_modules").exists()


def test_nothing_is_done_until_the_lock_file_changes(project: Project, node_modules: Path) -> None:
    """As the Dockerfile does it, with packages that are installed already."""
    assert project.build(str(node_modules)) == (0, "")
    before = project.found()
    assert project.build(str(project.folder / "none")) == (0, "")
    assert project.found() == before

    lock = project.folder / "assets" / "package-lock.json"
    lock.write_text(lock.read_text() + "\n")
    (project.built / "old.js").write_text("0")
    assert project.build(str(node_modules)) == (0, "")
    assert project.found().keys() == before.keys() and project.found()[SCRIPT] > before[SCRIPT]


def test_a_script_that_was_removed_is_built_again(project: Project, node_modules: Path) -> None:
    project.build(str(node_modules))
    (project.built / SCRIPT).unlink()
    assert project.build(str(node_modules)) == (0, "")
    assert (project.built / SCRIPT).is_file()


def test_an_unreachable_registry_is_a_sentence(project: Project, closed_port: str) -> None:
    status, text = project.build(npm_config_registry=closed_port)
    assert status == 1 and "Traceback" not in text
    assert text.endswith("The scripts of the pages are missing: npm could not install them (ECONNREFUSED).\n")
    assert not project.built.exists()


def test_npm_is_ended_when_its_time_is_over(project: Project, silent_port: str) -> None:
    limit = "TIMEOUT_S = 60.0"
    assert limit in project.code.read_text()
    project.code.write_text(project.code.read_text().replace(limit, "TIMEOUT_S = 2.0"))
    started = time.monotonic()
    status, text = project.build(npm_config_registry=silent_port)
    assert (status, text.strip()) == (1, "The scripts of the pages are missing: npm did not end within 2 s.")
    assert time.monotonic() - started < 8


def test_a_changed_package_is_refused(project: Project) -> None:
    """The digest in the lock file decides."""
    lock = project.folder / "assets" / "package-lock.json"
    before, mark, after = lock.read_text().partition('"integrity": "sha512-')
    lock.write_text(before + mark + "AAAA" + after[4:])
    status, text = project.build()
    assert status == 1 and text.endswith("npm could not install them (EINTEGRITY).\n")


def test_without_node_the_wheels_is_used(project: Project, tmp_path: Path) -> None:
    empty = tmp_path / "bin"
    empty.mkdir()
    assert project.build(PATH=str(empty)) == (0, "")
    assert (project.built / SCRIPT).is_file()


def test_without_any_node_that_is_said(project: Project, tmp_path: Path) -> None:
    program = (
        "import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p] + [sys.argv[1]];"
        "from assets.build import main; sys.argv[1:] = []; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program, str(project.folder)],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (
        1,
        "The scripts of the pages are missing: there is no Node.js with npm on this machine.",
    )


def test_a_folder_that_takes_no_files_is_a_sentence(project: Project, node_modules: Path) -> None:
    project.built.parent.mkdir(parents=True)
    project.built.write_text("a file where the folder should be")
    status, text = project.build(str(node_modules))
    assert status == 1 and "The scripts of the pages could not be written:" in text
    assert "Traceback" not in text

"""The commands and examples of a page of the documents; its commands are run as its reader would: pasted into a shell."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.support.stack import Stack


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def run_script(stack: Stack, script: str, folder: Path) -> str:
    """What bash prints. It must not fail. Only the port is replaced, because a demo on this machine may use 5000."""
    done = subprocess.run(
        ["bash", "-c", script.replace("localhost:5000", f"localhost:{stack.port}")],
        check=False,
        cwd=folder,
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr
    return done.stdout


def paste(stack: Stack, commands: list[str], folder: Path) -> str:
    """What bash prints for the commands, one after the other; a failing one ends it."""
    # curl -s says nothing of a refused request: --fail makes it the command's failure.
    curl = 'curl() { command curl --fail-with-body "$@"; }'
    return run_script(stack, "\n".join(["set -euo pipefail", curl, *commands]), folder)


def answers(printed: str) -> list[dict[str, Any]]:
    """The JSON objects one after the other in `printed`."""
    decoder, found, rest = json.JSONDecoder(), [], printed.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found.append(value)
        rest = rest[end:].lstrip()
    return found


def assert_like(found: Any, example: Any, *, of: str = "answer") -> None:
    """Every field of the example is there, of its type; what is null in the example may have any. An empty list
    or object in the example says nothing of the content."""
    if example is None:
        return
    assert type(found) is type(example), (of, found, example)
    if isinstance(example, dict):
        for name, value in example.items():
            assert name in found, (of, name, found)
            assert_like(found[name], value, of=f"{of}.{name}")
    elif isinstance(example, list) and example:
        assert found, of
        for item in found:
            assert_like(item, example[0], of=f"{of}[]")

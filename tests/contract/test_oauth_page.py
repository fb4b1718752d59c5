"""The commands of docs/oauth.md, pasted into a shell beside a running demo."""

from __future__ import annotations

from pathlib import Path

from launcher.paths import PROJECT
from tests.support.pages import answers, blocks, paste
from tests.support.stack import Stack

PAGE = (PROJECT / "docs/oauth.md").read_text(encoding="utf-8")


def test_the_pages_commands_get_and_end_tokens(merchant: Stack, tmp_path: Path) -> None:
    found = answers(paste(merchant, blocks(PAGE, "sh"), tmp_path))
    by_code, of_service, ended, introspected, ended_too = found
    assert by_code["scope"] == of_service["scope"] == "payments:read"
    assert by_code["refresh_token"] and "refresh_token" not in of_service
    assert introspected["active"] and introspected["client_id"] == "my_service"
    assert ended == ended_too == {}

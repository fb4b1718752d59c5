"""The places outside Python that name a provider's settings: `.env.example` and docker-compose.yml."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from app.config.providers import of_provider
from app.config.setting import Setting
from app.providers.base import Provider

WIDTH: Final = 113


def example_section(adapter: type[Provider]) -> str:
    """The provider's part of `.env.example`, with production's defaults."""
    heading = f"# --- {adapter.title}: docs/providers/{adapter.name}.md "
    lines = [heading.ljust(WIDTH, "-")]
    for setting in of_provider(adapter):
        lines += [
            f"# {setting.about[:1].upper()}{setting.about[1:]}.",
            f"{setting.name}={_production(setting)}",
        ]
    return "\n".join(lines) + "\n"


def compose_lines(adapter: type[Provider]) -> str:
    """The provider's lines of `x-settings`."""
    return "".join(f"  {setting.name}: ${{{setting.name}:-}}\n" for setting in of_provider(adapter))


def write(root: Path, adapter: type[Provider]) -> None:
    """Put the provider's settings behind those of the others."""
    example, compose = root / ".env.example", root / "docker-compose.yml"
    before, mark, after = example.read_text().partition("# --- Simulators")
    example.write_text(f"{before}{example_section(adapter)}\n{mark}{after}")
    before, mark, after = compose.read_text().partition("  SANDBOX_URL:")
    compose.write_text(f"{before}{compose_lines(adapter)}{mark}{after}")


def _production(setting: Setting) -> str:
    return setting.default if setting.production is None else setting.production

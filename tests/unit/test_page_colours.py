"""The contrast of the pages' colours, in both schemes and on paper (WCAG 2.2: 1.4.3, 1.4.11)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STYLE = (Path(__file__).parents[2] / "app/web/static/page.css").read_text()
TEXTS = [
    (text, paper) for text in ("text", "muted", "action", "bad", "good") for paper in ("paper", "raised")
]
SHAPES = [("line", "paper"), ("bad", "raised"), ("good", "raised"), ("action", "paper")]


def _schemes() -> dict[str, dict[str, str]]:
    light, dark, paper = (
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    )
    return {"light": light, "dark": light | dark, "print": light | paper}


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    lower, higher = sorted((_luminance(one), _luminance(other)))
    return (higher + 0.05) / (lower + 0.05)


def test_the_formula_is_the_standard_s() -> None:
    assert _contrast("#000000", "#ffffff") == pytest.approx(21)
    assert _contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_colours_have_contrast(scheme: str) -> None:
    colours = _schemes()[scheme]
    for text, paper in [*TEXTS, ("on-action", "action")]:
        assert _contrast(colours[text], colours[paper]) >= 4.5, (text, paper)
    for shape, paper in SHAPES:
        assert _contrast(colours[shape], colours[paper]) >= 3, (shape, paper)

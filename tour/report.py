"""The tour's output: headings, facts, and the result of every check."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


class Difference(Exception):
    """The gateway's behaviour differs from the document, so this document's examples cannot continue."""


@dataclass
class Report:
    """Prints as it goes and remembers what differed."""

    differences: list[str] = field(default_factory=list)
    kept: int = 0
    _document: str = ""
    _step: int = 0

    def document(self, title: str) -> None:
        self._document, self._step = title, 0
        print(f"\n{title}\n{'=' * len(title)}")

    def step(self, title: str) -> None:
        self._step += 1
        print(f"\n{self._step}. {title}")

    def say(self, fact: str) -> None:
        print(f"   {fact}")

    def expect(self, what: str, found: Any, expected: Any) -> None:
        """Compare, print the outcome, and go on either way."""
        if found == expected:
            self.kept += 1
            print(f"   ✓ {what}: {found}")
        else:
            self.differs(f"{what}: expected {expected!r}, found {found!r}")

    def differs(self, sentence: str) -> None:
        self.differences.append(f"{self._document}, step {self._step}: {sentence}")
        print(f"   ✗ {sentence}")

    def close(self) -> int:
        """Print the summary; returns the exit status."""
        if not self.differences:
            print(f"\nAll as the documents say: {self.kept} checks passed.")
            return 0
        print(f"\n{len(self.differences)} of {self.kept + len(self.differences)} checks failed:")
        for difference in self.differences:
            print(f"  ✗ {difference}")
        return 1

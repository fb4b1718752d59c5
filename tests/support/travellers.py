"""A traveller with a browser, who pays a booking at Chapa's simulated page."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import expect

from tests.support.browser import Visitor

PAY = "Pay 2304.00 ETB"


@dataclass(frozen=True)
class Traveller:
    """A visitor who has a booking."""

    visitor: Visitor
    address: str

    def opens(self) -> None:
        self.visitor.opens(self.address)

    def goes_to_the_provider(self, **fields: str) -> None:
        for label, text in fields.items():
            self.visitor.types(label.replace("_", " "), text)
        # The page in between leaves by itself, so it is not looked over.
        self.visitor.page.get_by_role("button", name=PAY).click()
        self.visitor.page.wait_for_url(re.compile("/chapa/"))
        self.visitor.looks_over()

    def pays_with(self, card: str) -> None:
        self.visitor.types("Card number", card)
        self.visitor.presses("Pay by card")

    def reads(self, heading: str) -> None:
        """The state, in the heading and at the beginning of the title."""
        expect(self.visitor.page.get_by_role("heading", level=1)).to_have_text(heading)
        assert self.visitor.page.title().startswith(heading)

"""A browser's user: opens pages, reads, types, presses buttons. Every page is checked as it loads."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Dialog, Locator, Page, Request, expect

NAMES = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 30_000
expect.set_options(timeout=WAIT_MS)

_REFUSAL = re.compile(r"the server responded with a status of 4\d\d")


def find_chromium() -> str | None:
    """The system's own browser; none is ever downloaded."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class _Reader(HTMLParser):
    """Collects what no page of the gateway may hold."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and not given.get("src"):
            self.faults.append("a script within the page")
        if tag == "style" or "style" in given:
            self.faults.append(f"a style within the page, at <{tag}>")
        for name, value in attrs:
            if name.startswith("on"):
                self.faults.append(f"<{tag} {name}>")
            if (value or "").strip().lower().startswith("javascript:"):
                self.faults.append(f"<{tag} {name}> is a script")


def faults_in(html: str) -> list[str]:
    """Inline scripts, event attributes and inline styles of a page's text."""
    reader = _Reader()
    reader.feed(html)
    return reader.faults


class Visitor:
    """One browser tab. `faults` holds what went wrong in the background, in sentences."""

    def __init__(self, page: Page, *, hosts: frozenset[str], may_hold_styles: bool = False) -> None:
        self.page = page
        self.faults: list[str] = []
        self.asked: list[str] = []
        self._hosts = hosts
        self._may_hold_styles = may_hold_styles
        page.set_default_timeout(WAIT_MS)
        page.on("request", self._note_request)
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.faults.append(f"a script failed: {error}"))
        page.on("dialog", self._note_dialog)

    def opens(self, url: str) -> None:
        self.page.goto(url)
        self.looks_over()

    def follows(self, name: str) -> None:
        self._leaves(self.page.get_by_role("link", name=name).first)

    def presses(self, name: str, *, exact: bool = True) -> None:
        """The button; done when the page it leads to has come."""
        self._leaves(self.page.get_by_role("button", name=name, exact=exact).first)

    def types(self, label: str, text: str) -> None:
        self.page.get_by_label(label).fill(text)

    def chooses(self, label: str, option: str) -> None:
        self.page.get_by_label(label, exact=True).select_option(label=option)

    def sees(self, text: str, *, timeout_ms: int = WAIT_MS) -> None:
        """The text, somewhere on the page, now or soon."""
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=timeout_ms)

    def sees_nothing_of(self, text: str) -> None:
        expect(self.page.get_by_text(text)).to_have_count(0)

    def is_at(self, url: str) -> None:
        """On this page, whatever its query says."""
        expect(self.page).to_have_url(re.compile(rf"^{re.escape(url)}(\?.*)?$"))

    def looks_over(self) -> None:
        """One heading, a language, a label at every field, nothing inline."""
        page = self.page
        page.wait_for_load_state("load")
        where = page.url.partition("?")[0]
        if not self._may_hold_styles:
            self.faults += [f"{where}: {fault}" for fault in faults_in(page.content())]
        expect(page.locator("html[lang]")).to_have_count(1)
        expect(page.locator("h1")).to_have_count(1)
        fields = page.locator("input:not([type=hidden]), select, textarea").filter(visible=True)
        for number in range(fields.count()):
            expect(fields.nth(number)).to_have_accessible_name(re.compile(r"\S"))

    def _leaves(self, by: Locator) -> None:
        with self.page.expect_navigation():
            by.click()
        self.looks_over()

    def _note_request(self, request: Request) -> None:
        self.asked.append(request.url)
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "about", "blob") and parts.netloc not in self._hosts:
            self.faults.append(f"a request to {request.url}")

    def _note_dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _note_console(self, message: ConsoleMessage) -> None:
        where = message.location.get("url", "").partition("?")[0]
        # The browser also notes a page that is a refusal: a declined card, a wrong code. The page itself reports those.
        is_the_page = where == self.page.url.partition("?")[0] and _REFUSAL.search(message.text)
        # It asks for an icon unasked.
        if message.type in ("error", "warning") and not is_the_page and not where.endswith("/favicon.ico"):
            self.faults.append(f"console: {message.text} ({where})")

"""The demo's mailbox on a phone, and a mail's HTML, which runs nothing."""

from __future__ import annotations

from playwright.sync_api import Browser

from app import create_app
from tests.browser.conftest import MakeVisitor
from tests.support import mails
from tests.support.mails import make_mail
from tests.support.stack import Stack
from tests.support.waiting import wait_until

SCRIPT = "<script>document.title='taken'</script>"
IMAGE = "<img src=/docs/icon.svg onerror=\"document.title='taken'\">"


def test_a_phone_sees_the_whole_mailbox(stack: Stack, make_visitor: MakeVisitor, chromium: Browser) -> None:
    app = create_app(stack.environment | {"LOG_LEVEL": "WARNING"})
    mail = make_mail(
        subject="x" * 200, text="https://example.com/" + "y" * 300, html=f"<h1>Confirmed</h1>{SCRIPT}{IMAGE}"
    )
    mails.queue(app, mail)
    row = mails.mail_about(app, mail.ref)
    visitor = make_visitor(viewport={"width": 320, "height": 640}, java_script_enabled=False)
    url = f"{stack.url}/dev/mailbox"

    def is_sent() -> bool:
        visitor.opens(url)
        mine = visitor.page.get_by_role("article").filter(has_text=mail.subject)
        return mine.get_by_text("sent", exact=True).count() == 1

    wait_until(is_sent, "the worker has sent the mail", every_s=0.2)
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 320
    visitor.sees(mail.text)
    links = visitor.page.get_by_role("link", name="HTML of this mail").all()
    assert f"/dev/mailbox/{row.id}" in [link.get_attribute("href") for link in links]
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{url}/{row.id}")
        assert page.locator("h1").inner_text() == "Confirmed" and page.title() != "taken"
        assert page.evaluate("document.images[0].naturalWidth") == 0

"""Finding what Stripe made of a request whose answer was lost: by our reference, in its lists, newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any, Final

import stripe

from app.providers.base import ChargeReference, RefundReference
from app.providers.errors import OutcomeUnknown
from app.providers.stripe.client import call
from app.providers.stripe.statuses import metadata_of

Work = Callable[[], stripe.StripeObject]

PAGE: Final = 100
MAX_PAGES: Final = 10
"""Further back than this is not looked: then it is not known, which is not the same as not there."""

CLOCKS_DIFFER: Final = timedelta(minutes=10)


def find_charge(client: stripe.StripeClient, charge: ChargeReference, *, is_hosted: bool) -> str | None:
    """The id of the session or PaymentIntent made for `charge`; None: there is none. Raises ProviderError."""
    since = int((charge.sent_at - CLOCKS_DIFFER).timestamp())

    def page(after: str | None) -> stripe.StripeObject:
        if is_hosted:
            sessions: stripe.params.checkout.SessionListParams = {"created": {"gte": since}, "limit": PAGE}
            if after:
                sessions["starting_after"] = after
            return client.v1.checkout.sessions.list(sessions)
        intents: stripe.params.PaymentIntentListParams = {"created": {"gte": since}, "limit": PAGE}
        if after:
            intents["starting_after"] = after
        return client.v1.payment_intents.list(intents)

    found = _first(_items(page), charge.reference)
    return str(found["id"]) if found else None


def find_refund(
    client: stripe.StripeClient, refund: RefundReference, *, payment_intent: str
) -> dict[str, Any] | None:
    """The refund of `payment_intent` that carries our reference; None: there is none. Raises ProviderError."""
    return _first(refunds_of(client, payment_intent=payment_intent), refund.reference)


def refunds_of(client: stripe.StripeClient, *, payment_intent: str) -> Iterator[dict[str, Any]]:
    """Every refund of `payment_intent`, whoever made it. Raises ProviderError."""

    def page(after: str | None) -> stripe.StripeObject:
        params: stripe.params.RefundListParams = {"payment_intent": payment_intent, "limit": PAGE}
        if after:
            params["starting_after"] = after
        return client.v1.refunds.list(params)

    return _items(page)


def _first(items: Iterator[dict[str, Any]], reference: str) -> dict[str, Any] | None:
    return next((dict(item) for item in items if metadata_of(item).get("reference") == reference), None)


def _items(page: Callable[[str | None], stripe.StripeObject]) -> Iterator[dict[str, Any]]:
    """A list's items, page by page. Raises OutcomeUnknown after MAX_PAGES."""
    after: str | None = None
    for _ in range(MAX_PAGES):
        listed = _listed(partial(page, after))
        yield from listed["data"]
        if not listed["has_more"]:
            return
        after = str(listed["data"][-1]["id"])
    raise OutcomeUnknown("Stripe lists more than can be looked through.")


def _listed(work: Work) -> dict[str, Any]:
    listed = call(work)
    data, has_more = listed.get("data"), listed.get("has_more")
    is_list = isinstance(data, list) and all(isinstance(item, dict) and item.get("id") for item in data)
    if not is_list or not isinstance(has_more, bool) or (has_more and not data):
        raise OutcomeUnknown("Stripe's list cannot be read.")
    return listed

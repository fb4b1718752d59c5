"""Finding what Stripe made of a request whose answer was lost: by our reference, in its lists, newest first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, Final

import stripe

from app.providers.base import Handle, RefundHandle
from app.providers.errors import InvalidRequest, OutcomeUnknown
from app.providers.stripe.client import call
from app.providers.stripe.statuses import metadata_of

Work = Callable[[], stripe.StripeObject]

PAGE: Final = 100
MAX_PAGES: Final = 10
"""Further back than this is not looked: then it is not known, which is not the same as not there."""

CLOCKS_DIFFER: Final = timedelta(minutes=10)


def find_charge(client: stripe.StripeClient, charge: Handle, *, is_hosted: bool) -> str | None:
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

    found = _find(page, charge.reference)
    return str(found["id"]) if found else None


def find_refund(
    client: stripe.StripeClient, refund: RefundHandle, *, payment_intent: str
) -> dict[str, Any] | None:
    """The refund of `payment_intent` that carries our reference; None: there is none. Raises ProviderError."""

    def page(after: str | None) -> stripe.StripeObject:
        params: stripe.params.RefundListParams = {"payment_intent": payment_intent, "limit": PAGE}
        if after:
            params["starting_after"] = after
        return client.v1.refunds.list(params)

    return _find(page, refund.reference)


def _find(page: Callable[[str | None], stripe.StripeObject], reference: str) -> dict[str, Any] | None:
    after: str | None = None
    for _ in range(MAX_PAGES):
        listed = _listed(partial(page, after))
        for item in listed["data"]:
            if metadata_of(item).get("reference") == reference:
                return dict(item)
        if not listed["has_more"]:
            return None
        after = str(listed["data"][-1]["id"])
    raise OutcomeUnknown("There are too many newer payments at Stripe to find this one among them.")


def _listed(work: Work) -> dict[str, Any]:
    try:
        listed = call(work)
    except InvalidRequest as error:
        raise OutcomeUnknown("Stripe does not list its payments to this key.", code=error.code) from None
    data, has_more = listed.get("data"), listed.get("has_more")
    is_list = isinstance(data, list) and all(isinstance(item, dict) and item.get("id") for item in data)
    if not is_list or not isinstance(has_more, bool) or (has_more and not data):
        raise OutcomeUnknown("Stripe's list cannot be read.")
    return listed

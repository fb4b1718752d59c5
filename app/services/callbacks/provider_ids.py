"""The provider's ids that callbacks contain: which one the provider is queried by, and when it is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from app.models.payment import PaymentAttempt
from app.providers.base import CallbackEvent, ProviderResult
from app.services.payments import claims
from app.services.payments.rows import PaymentRows, PaymentWrites
from app.services.payments.states import OPEN_ATTEMPTS
from app.services.provider_operations import Outcome
from app.services.write_sets import store

ABOUT_ANOTHER: Final = "\0another"
"""No provider's id."""


def to_query(parsed: CallbackEvent, attempt: PaymentAttempt) -> str | None:
    """The provider's id to query by: the one that came with the answer, else the callback's.

    ABOUT_ANOTHER when the callback names another charge than the one whose URL it was sent to.
    """
    given = parsed.provider_reference
    if attempt.provider_reference is None:
        return given
    is_ours = given in (None, attempt.provider_reference, attempt.receipt)
    # Some providers name a payment by more than one id; then our reference, or a signature, identifies it.
    if is_ours or parsed.is_verified or parsed.reference == attempt.reference:
        return attempt.provider_reference
    return ABOUT_ANOTHER


def with_id(outcome: Outcome, query_id: str | None, reported: ProviderResult | None) -> ProviderResult | None:
    """The outcome with the id that it was queried by, which is then kept with it. None: it is no answer that will be applied, or
    names another id."""
    if not isinstance(outcome, ProviderResult) or outcome.provider_reference not in (None, query_id):
        return None
    if reported is not None and claims.contradict(reported.state, outcome.state):
        return None
    return replace(outcome, provider_reference=query_id)


def adopt(rows: PaymentRows, attempt: PaymentAttempt, reference: str | None) -> PaymentRows:
    """Keep the provider's id when the answer that held it was lost; the rows as they are then.

    Only from a callback that is vouched for. Any other id is only used for the query: the adapter compares our reference in
    the provider's answer, and an applied result contains its id.
    """
    if reference is None or attempt.provider_reference is not None:
        return rows

    def decide(writes: PaymentWrites) -> None:
        now = writes.rows.attempt(attempt.id)
        is_free = now.provider_reference is None and now.state in OPEN_ATTEMPTS
        if is_free and not writes.is_reference_taken:
            now.provider_reference = reference
            writes.rows.payment.provider_transaction_id = reference

    return store.change(rows, decide, actor="callback").rows

"""Disputes: the cardholder's bank reverses a charge until evidence decides."""

from __future__ import annotations

from typing import Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.faults import NO_FAULT
from app.sandbox.store import Document
from app.sandbox.stripe import currencies, forms
from app.sandbox.stripe.callbacks import Callbacks, Event
from app.sandbox.stripe.errors import missing, refused
from app.sandbox.stripe.objects import dispute

VERDICTS: Final = {"winning_evidence": "won", "losing_evidence": "lost"}
"""The published texts that decide a test dispute (docs.stripe.com/testing). Any other text leaves it under review."""


class Disputes:
    """The disputes of the account's charges."""

    def __init__(self, sandbox: Sandbox, callbacks: Callbacks) -> None:
        self._sandbox, self._callbacks = sandbox, callbacks

    def open(self, charge_id: str) -> list[Event]:
        """Dispute a whole charge; the events to publish."""
        now = int(self._sandbox.now().timestamp())

        def change(charge: Document) -> Document:
            document = dispute(charge, created=now)
            charge["disputed"] = True
            return document

        document = self._sandbox.store.update("stripe", "charge", charge_id, change)
        self._sandbox.store.insert("stripe", "dispute", document["id"], document)
        return [Event("charge.dispute.created", document), Event("charge.dispute.funds_withdrawn", document)]

    def get(self, id: str) -> Document:
        """The dispute. Raises 404."""
        found = self._sandbox.store.get("stripe", "dispute", id)
        if found is None:
            raise missing("dispute", id, param="dispute")
        return found

    def submit(self, request: ApiRequest, id: str) -> Document:
        """`POST /v1/disputes/{id}`: evidence. The published texts decide the dispute at once."""
        params = request.body
        forms.allow(params, "evidence", "metadata", "submit")
        evidence = forms.text(forms.branch(params, "evidence"), "uncategorized_text")
        self.get(id)

        def change(document: Document) -> Document:
            _require_open(document)
            if evidence is not None:
                document["evidence"]["uncategorized_text"] = evidence
                document["evidence_details"]["has_evidence"] = True
            if forms.boolean(params, "submit", default=True):
                document["evidence_details"]["submission_count"] += 1
                document["status"] = VERDICTS.get(evidence or "", "under_review")
            return dict(document)

        document = self._sandbox.store.update("stripe", "dispute", id, change)
        self._publish(document)
        return document

    def close(self, id: str) -> Document:
        """`POST /v1/disputes/{id}/close`: the merchant accepts the dispute."""
        self.get(id)

        def change(document: Document) -> Document:
            _require_open(document)
            document["status"] = "lost"
            return dict(document)

        document = self._sandbox.store.update("stripe", "dispute", id, change)
        self._publish(document)
        return document

    def _publish(self, document: Document) -> None:
        if document["status"] == "lost":
            self._record(document)
        events = [Event("charge.dispute.updated", document)]
        if document["status"] in ("won", "lost"):
            events.append(Event("charge.dispute.closed", document))
        if document["status"] == "won":
            events.append(Event("charge.dispute.funds_reinstated", document))
        self._callbacks.publish(events, NO_FAULT)

    def _record(self, document: Document) -> None:
        """Record the money of a lost dispute as refunded."""
        charge = self._sandbox.store.get("stripe", "charge", document["charge"])
        currency = document["currency"].upper()
        if charge is None:
            return  # the sandbox was reset meanwhile
        self._sandbox.records.add(
            "stripe",
            "refund",
            reference=charge["_reference"],
            id=document["id"],
            amount=currencies.major(document["amount"], currency),
            currency=currency,
        )


def _require_open(document: Document) -> None:
    if document["status"] not in ("needs_response", "under_review"):
        raise refused("This dispute is already closed", code="dispute_already_closed")

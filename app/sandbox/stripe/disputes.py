"""Disputes: the cardholder's bank takes the money of a charge back until evidence decides."""

from __future__ import annotations

from typing import Final

from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.stripe import currencies, forms
from app.sandbox.stripe.errors import missing, refused
from app.sandbox.stripe.events import Events, News
from app.sandbox.stripe.objects import Document, dispute

VERDICTS: Final = {"winning_evidence": "won", "losing_evidence": "lost"}
"""The published texts that decide a test dispute (docs.stripe.com/testing); another text leaves it under review."""


class Disputes:
    """Disputes of the account's charges."""

    def __init__(self, sandbox: Sandbox, events: Events) -> None:
        self._sandbox, self._events = sandbox, events

    def open(self, charge_id: str) -> list[News]:
        """Dispute a whole charge; what is to be told about it."""
        now = int(self._sandbox.now().timestamp())

        def change(charge: Document) -> Document:
            document = dispute(charge, created=now)
            charge["disputed"] = True
            return document

        document = self._sandbox.store.update("stripe", "charge", charge_id, change)
        self._sandbox.store.insert("stripe", "dispute", document["id"], document)
        return [News("charge.dispute.created", document), News("charge.dispute.funds_withdrawn", document)]

    def get(self, id: str) -> Document:
        """The dispute. Raises 404."""
        found = self._sandbox.store.get("stripe", "dispute", id)
        if found is None:
            raise missing("dispute", id, param="dispute")
        return found

    def submit(self, id: str, params: forms.Params) -> Document:
        """`POST /v1/disputes/{id}`: evidence; the published texts decide at once."""
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
        self._tell(document)
        return document

    def close(self, id: str) -> Document:
        """`POST /v1/disputes/{id}/close`: the merchant gives in."""
        self.get(id)

        def change(document: Document) -> Document:
            _require_open(document)
            document["status"] = "lost"
            return dict(document)

        document = self._sandbox.store.update("stripe", "dispute", id, change)
        self._tell(document)
        return document

    def _tell(self, document: Document) -> None:
        if document["status"] == "lost":
            self._book(document)
        news = [News("charge.dispute.updated", document)]
        if document["status"] in ("won", "lost"):
            news.append(News("charge.dispute.closed", document))
        if document["status"] == "won":
            news.append(News("charge.dispute.funds_reinstated", document))
        self._events.publish(news, Plan())

    def _book(self, document: Document) -> None:
        """A dispute that is lost gives the money back for good."""
        charge, currency = (
            self._sandbox.store.get("stripe", "charge", document["charge"]),
            document["currency"].upper(),
        )
        if charge is None:
            return  # the sandbox was reset in the meantime
        self._sandbox.book.record(
            "stripe", "refund", reference=charge["_reference"], id=document["id"],
            amount=currencies.major(document["amount"], currency), currency=currency,
        )  # fmt: skip


def _require_open(document: Document) -> None:
    if document["status"] not in ("needs_response", "under_review"):
        raise refused("This dispute is already closed", code="dispute_already_closed")

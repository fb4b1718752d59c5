"""Disputes: the cardholder's bank reverses a charge until evidence decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.faults import NO_FAULT
from app.sandbox.store import Document
from app.sandbox.stripe import currencies, forms
from app.sandbox.stripe.callbacks import Callbacks, Event
from app.sandbox.stripe.errors import missing, refused
from app.sandbox.stripe.objects import balance_transaction, dispute

VERDICTS: Final = {"winning_evidence": "won", "losing_evidence": "lost"}
INQUIRY_VERDICTS: Final = {
    "winning_evidence": "warning_closed",
    "losing_evidence": "warning_closed",
    "escalate_inquiry_evidence": "needs_response",
}
"""The published texts that decide a test dispute or inquiry (docs.stripe.com/testing). Any other leaves it under review."""

WITHDRAWN: Final = ("needs_response", "under_review", "lost")
"""Statuses of a dispute whose amount Stripe has withdrawn."""


CLOSED: Final = ("won", "lost", "warning_closed")
DISPUTED: Final = ("needs_response", "under_review")
INQUIRED: Final = ("warning_needs_response", "warning_under_review")
OPEN: Final = DISPUTED + INQUIRED

ANSWERS: Final = {
    "win": ("won", DISPUTED),
    "lose": ("lost", DISPUTED),
    "close": ("warning_closed", INQUIRED),
    "escalate": ("needs_response", INQUIRED),
    "reinstate": ("won", ("lost",)),
}
"""Answer of the bank → the status it leads to, and the statuses it is possible in."""


class Disputes:
    """The disputes of the account's charges."""

    def __init__(self, sandbox: Sandbox, callbacks: Callbacks) -> None:
        self._sandbox, self._callbacks = sandbox, callbacks

    def open(self, charge_id: str, *, is_inquiry: bool) -> list[Event]:
        """Dispute a whole charge, or inquire about it; the events to publish."""
        now = self._now()

        def change(charge: Document) -> Document:
            document = dispute(charge, created=now, is_inquiry=is_inquiry)
            _mark_charge(charge, document)
            return document

        document = self._sandbox.store.update("stripe", "charge", charge_id, change)
        events = [Event("charge.dispute.created", document), *_move_money(document, now)]
        self._sandbox.store.insert("stripe", "dispute", document["id"], document)
        return events

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

        def decide(document: Document) -> None:
            if evidence is not None:
                document["evidence"]["uncategorized_text"] = evidence
                document["evidence_details"]["has_evidence"] = True
            if forms.boolean(params, "submit", default=True):
                document["evidence_details"]["submission_count"] += 1
                document["status"] = _verdict(document, evidence or "")

        return self._decide(id, decide)

    def close(self, id: str) -> Document:
        """`POST /v1/disputes/{id}/close`: the merchant accepts the dispute."""

        def decide(document: Document) -> None:
            document["status"] = "warning_closed" if _is_inquiry(document) else "lost"

        return self._decide(id, decide)

    def decide(self, id: str, answer: str) -> Document:
        """The bank's decision: win, lose, escalate (an inquiry), or reinstate, after the merchant has lost. Raises 404, 400."""
        if answer not in ANSWERS:
            raise refused("The bank's answer is one of " + ", ".join(ANSWERS) + ".", code="parameter_invalid")
        status, of = ANSWERS[answer]
        return self._decide(id, lambda document: document.update(status=status), of=of)

    def _decide(self, id: str, decide: Callable[[Document], None], *, of: tuple[str, ...] = OPEN) -> Document:
        """Change a dispute that is in one of the statuses `of`, and publish that. Raises 404, 400."""
        before, now = self.get(id)["status"], self._now()
        events: list[Event] = []

        def change(document: Document) -> Document:
            _require_status(document, of)
            decide(document)
            document["is_charge_refundable"] = document["status"] not in WITHDRAWN
            events[:] = _move_money(document, now)
            return dict(document)

        document = self._sandbox.store.update("stripe", "dispute", id, change)
        if document["status"] == "lost" or before == "lost":
            self._record(document, "refund" if document["status"] == "lost" else "refund_return")
        self._mark(document)
        kinds = ["charge.dispute.updated"]
        if document["status"] in CLOSED:
            kinds.append("charge.dispute.closed")
        self._callbacks.publish([*(Event(kind, document) for kind in kinds), *events], NO_FAULT)
        return document

    def _mark(self, document: Document) -> None:
        if self._sandbox.store.get("stripe", "charge", document["charge"]) is not None:
            self._sandbox.store.update(
                "stripe", "charge", document["charge"], lambda charge: _mark_charge(charge, document)
            )

    def _now(self) -> int:
        return int(self._sandbox.now().timestamp())

    def _record(self, document: Document, kind: Literal["refund", "refund_return"]) -> None:
        """Record the money of a lost dispute as refunded, and as returned where it is reinstated."""
        charge = self._sandbox.store.get("stripe", "charge", document["charge"])
        currency = document["currency"].upper()
        if charge is None:
            return  # the sandbox was reset meanwhile
        self._sandbox.records.add(
            "stripe",
            kind,
            reference=charge["_reference"],
            id=document["id"],
            amount=currencies.major(document["amount"], currency),
            currency=currency,
        )


def _verdict(document: Document, evidence: str) -> str:
    """The status that this evidence leads to."""
    if _is_inquiry(document):
        return INQUIRY_VERDICTS.get(evidence, "warning_under_review")
    return VERDICTS.get(evidence, "under_review")


def _mark_charge(charge: Document, document: Document) -> None:
    """An inquiry does not make a charge disputed. While the money is withdrawn, nothing of the charge can be refunded."""
    charge["disputed"] = charge["disputed"] or not _is_inquiry(document)
    charge["_is_charged_back"] = document["status"] in WITHDRAWN


def _is_inquiry(document: Document) -> bool:
    return str(document["status"]).startswith("warning_")


def _move_money(document: Document, now: int) -> list[Event]:
    """Withdraw or reinstate the money as the status requires; the event of that, if any."""
    moves = document["balance_transactions"]
    is_withdrawn = sum(one["amount"] for one in moves) < 0
    if (document["status"] in WITHDRAWN) == is_withdrawn:
        return []
    document["balance_transactions"] = [
        *moves,
        balance_transaction(document, sign=1 if is_withdrawn else -1, created=now),
    ]
    word = "funds_reinstated" if is_withdrawn else "funds_withdrawn"
    return [Event(f"charge.dispute.{word}", document)]


def _require_status(document: Document, statuses: tuple[str, ...]) -> None:
    if document["status"] not in statuses:
        raise refused("This dispute is already closed", code="dispute_already_closed")

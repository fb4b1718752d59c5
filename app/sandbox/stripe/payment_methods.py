"""Payment methods: the published `pm_card_…` names, and cards by their test numbers."""

from __future__ import annotations

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.store import Document
from app.sandbox.stripe import forms
from app.sandbox.stripe.cards import BY_METHOD, BY_NUMBER, Card
from app.sandbox.stripe.errors import declined, invalid, missing
from app.sandbox.stripe.objects import payment_method


class PaymentMethods:
    """The account's payment methods."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def attach(self, card: Card) -> Document:
        """A new payment method for one use of a test card."""
        document = payment_method(card, created=int(self._sandbox.now().timestamp()))
        self._sandbox.store.insert("stripe", "payment_method", document["id"], document)
        return document

    def resolve(self, id: str) -> tuple[Document, Card]:
        """The payment method with this id, and its card. Raises 400."""
        if id in BY_METHOD:
            card = BY_METHOD[id]
            return self.attach(card), card
        document = self._sandbox.store.get("stripe", "payment_method", id)
        if document is None:
            raise missing("PaymentMethod", id, param="payment_method", status=400)
        return document, BY_METHOD[document["_method"]]

    def use(self, id: str, *, customer: str | None) -> None:
        """A payment succeeded. customer: who keeps the card from now on; None: the card stays whose it was."""

        def change(method: Document) -> None:
            method["_is_used"] = True
            method["customer"] = customer or method["customer"]

        self._sandbox.store.update("stripe", "payment_method", id, change)

    def retrieve(self, id: str) -> Document:
        """A payment method by its id. Raises 404."""
        if id in BY_METHOD:
            return self.attach(BY_METHOD[id])
        document = self._sandbox.store.get("stripe", "payment_method", id)
        if document is None:
            raise missing("PaymentMethod", id, param="payment_method")
        return document

    def create(self, request: ApiRequest) -> Document:
        """`POST /v1/payment_methods` with the number of a test card."""
        params = request.body
        forms.allow(params, "type", "card", "billing_details", "metadata", "allow_redisplay")
        if forms.required(params, "type") != "card":
            raise invalid("Invalid type: this account takes cards.", param="type")
        fields = forms.branch(params, "card")
        number = forms.required(fields, "number").replace(" ", "")
        card = BY_NUMBER.get(number)
        if card is None:
            message = "Your card was declined. Your request was in test mode, but used a non test card."
            raise declined("card_declined", "live_mode_test_card", message)
        return self.attach(card)

"""Checkout Sessions: a hosted page for one payment.

The session has its PaymentIntent as a member only once it is complete. A declined card leaves the session open: the
customer can try another.
"""

from __future__ import annotations

from typing import Final

from app.sandbox.calls import ApiRequest
from app.sandbox.core import Sandbox
from app.sandbox.faults import Plan
from app.sandbox.store import Document
from app.sandbox.stripe import currencies, forms, objects
from app.sandbox.stripe.callbacks import Callbacks, Event
from app.sandbox.stripe.cards import CARDS_BY_OUTCOME, VISA, Card
from app.sandbox.stripe.customers import Customers
from app.sandbox.stripe.errors import invalid, missing, refused
from app.sandbox.stripe.line_items import read_line_items
from app.sandbox.stripe.payment_methods import PaymentMethods
from app.sandbox.stripe.payments import Attempt, Intents

CREATE: Final = (
    "allow_promotion_codes",
    "automatic_tax",
    "billing_address_collection",
    "cancel_url",
    "client_reference_id",
    "currency",
    "customer",
    "customer_creation",
    "customer_email",
    "expires_at",
    "line_items",
    "locale",
    "metadata",
    "mode",
    "payment_intent_data",
    "payment_method_collection",
    "payment_method_options",
    "payment_method_types",
    "phone_number_collection",
    "submit_type",
    "success_url",
    "ui_mode",
)
INTENT_DATA: Final = (
    "capture_method",
    "description",
    "metadata",
    "receipt_email",
    "setup_future_usage",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
TIMER: Final = "stripe.expiry"
SHORTEST_S, LONGEST_S = 30 * 60, 24 * 3600
UNPAID_OUTCOMES: Final = ("timed_out", "cancelled")
"""The customer leaves the page without paying: the session stays open until it expires."""


class Sessions:
    """The account's Checkout Sessions."""

    def __init__(
        self,
        sandbox: Sandbox,
        callbacks: Callbacks,
        methods: PaymentMethods,
        intents: Intents,
        customers: Customers,
    ) -> None:
        self._sandbox, self._callbacks, self._methods, self._intents = sandbox, callbacks, methods, intents
        self._customers = customers
        sandbox.timers.register(TIMER, self._expire_after_delay)

    def create(self, request: ApiRequest) -> Document:
        """`POST /v1/checkout/sessions`: a page to send the customer to. Raises 400."""
        params, plan = request.body, request.plan
        document = self._document(params, plan)
        self._sandbox.store.insert("stripe", "session", document["id"], document)
        self._sandbox.timers.set(TIMER, document["id"], document["expires_at"] - document["created"])
        if plan.callback_early:
            self.pay(document["id"], VISA)
        elif plan.outcome not in UNPAID_OUTCOMES:
            self._sandbox.customers.schedule("stripe", document["id"])
        return document

    def _document(self, params: forms.Params, plan: Plan) -> Document:
        forms.allow(params, *CREATE)
        if forms.choice(params, "mode", ("payment", "setup", "subscription"), None) != "payment":
            raise invalid(
                "You must set `mode` to `payment`: this sandbox takes single payments.", param="mode"
            )
        if forms.choice(params, "ui_mode", ("hosted", "hosted_page", "embedded", "custom"), "hosted") not in (
            "hosted",
            "hosted_page",
        ):
            raise invalid("This sandbox has the hosted page only.", param="ui_mode")
        items, total, currency = read_line_items(params)
        forms.required(params, "success_url")
        now = int(self._sandbox.now().timestamp())
        id = objects.new_id("cs_test", length=58)
        metadata = forms.merged({}, forms.metadata(params))
        client_reference = forms.text(params, "client_reference_id", longest=200)
        customer, creation = forms.text(params, "customer"), _customer_creation(params)
        self._customers.require(customer)
        intent = self._intent(params, total, currency)
        reference = intent["metadata"].get("reference") or metadata.get("reference") or client_reference or ""
        intent |= {"_plan": plan.to_json(), "_reference": reference, "_session": id, "_return_url": None}
        intent["_is_off_session"] = False
        return {
            "id": id,
            "object": "checkout.session",
            "amount_subtotal": total,
            "amount_total": total,
            "cancel_url": forms.url(params, "cancel_url"),
            "client_reference_id": client_reference,
            "created": now,
            "currency": currency,
            "customer": customer,
            "customer_creation": creation,
            "customer_details": None,
            "customer_email": forms.email(params, "customer_email"),
            "expires_at": _expiry(params, now),
            "livemode": False,
            "locale": forms.text(params, "locale"),
            "metadata": metadata,
            "mode": "payment",
            "payment_intent": None,
            "payment_method_types": forms.words(params, "payment_method_types") or ["card"],
            "payment_status": "unpaid",
            "status": "open",
            "submit_type": forms.text(params, "submit_type"),
            "success_url": forms.url(params, "success_url"),
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "ui_mode": "hosted",
            "url": f"{self._sandbox.settings.public_url}/stripe/c/pay/{id}",
            "_in_major": str(currencies.major(total, currency)),
            "_intent": intent,
            "_line_items": items,
            # A complete session has no `url`, but its page still exists.
            "_page": f"/stripe/c/pay/{id}",
            "_plan": plan.to_json(),
        }

    def _intent(self, params: forms.Params, total: int, currency: str) -> Document:
        """The future PaymentIntent: it is stored with the first attempt."""
        data = forms.allow(forms.branch(params, "payment_intent_data"), *INTENT_DATA)
        return objects.payment_intent(
            amount=total,
            currency=currency,
            created=int(self._sandbox.now().timestamp()),
            capture_method=forms.choice(
                data, "capture_method", ("automatic", "automatic_async", "manual"), "automatic_async"
            ),
            description=forms.text(data, "description"),
            metadata=forms.merged({}, forms.metadata(data)),
            receipt_email=forms.email(data, "receipt_email"),
            setup_future_usage=forms.choice(data, "setup_future_usage", ("off_session", "on_session"), None),
            statement_descriptor=forms.text(data, "statement_descriptor", longest=22),
            statement_descriptor_suffix=forms.text(data, "statement_descriptor_suffix", longest=22),
        )

    def get(self, id: str) -> Document:
        """The session. It expires here when its time is over. Raises 404."""
        found = self._sandbox.store.get("stripe", "session", id)
        if found is None:
            raise missing("checkout.session", id, param="session")
        if found["status"] == "open" and found["expires_at"] <= self._sandbox.now().timestamp():
            return self._expire(id, is_requested=False)
        return found

    def retrieve(self, id: str) -> Document:
        """`GET …/<id>`: the session; unpaid, with the status of the option `session_status`, where that is set."""
        found = self.get(id)
        instead = self._sandbox.dashboard.option("stripe", "session_status")
        return found | {"status": instead, "payment_status": "unpaid"} if instead else found

    def expire(self, id: str) -> Document:
        """`POST …/expire`: the session can no longer be paid. Raises 400 when it is not open."""
        self.get(id)
        return self._expire(id, is_requested=True)

    def _expire_after_delay(self, id: str) -> None:
        """The timer expires the session, unless the sandbox was reset."""
        if self._sandbox.store.get("stripe", "session", id) is not None:
            self.get(id)

    def _expire(self, id: str, *, is_requested: bool) -> Document:
        def change(session: Document) -> tuple[Document, bool]:
            if session["status"] != "open":
                if is_requested:
                    raise refused(
                        'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a '
                        f"status of {session['status']}."
                    )
                return dict(session), False
            session.update(status="expired", url=None)
            return dict(session), True

        session, is_changed = self._sandbox.store.update("stripe", "session", id, change)
        if is_changed:
            self._callbacks.publish(
                [Event("checkout.session.expired", session)], Plan.from_json(session["_plan"])
            )
        return session

    # --- the customer

    def pay(self, id: str, card: Card) -> Attempt:
        """An attempt on the page. A decline is returned, not raised. Raises 400 when the session is not open."""
        session = self.get(id)
        _require_open(session)
        plan = Plan.from_json(session["_plan"])
        intent_id = session["_intent"]["id"]
        self._intents.insert(session["_intent"])
        self._set_method(intent_id, card)
        if card.outcome in ("declined", "authenticate"):
            attempt = self._intents.attempt(intent_id, card, plan)
            self._callbacks.publish(attempt.events, plan)
            return attempt
        earlier: list[Event] = []
        if plan.callback_reorder:
            earlier = self._intents.attempt(intent_id, CARDS_BY_OUTCOME["declined"], plan).events
            self._set_method(intent_id, card)
        return self._complete(session, card, plan, earlier)

    def authenticate(self, intent: Document, *, is_passed: bool) -> Document:
        """The customer passed or failed the bank's challenge."""
        session = self.get(intent["_session"])
        plan = Plan.from_json(session["_plan"])
        if is_passed:
            _require_open(session)
            return self._complete(session, VISA, plan, []).intent
        attempt = self._intents.fail_authentication(intent["id"])
        self._callbacks.publish(attempt.events, plan)
        return attempt.intent

    def _customer_of(self, session: Document) -> str | None:
        """Whose the payment is: a new customer where the session makes one."""
        id: str | None = session["customer"]
        if session["customer_creation"] == "always":
            id = self._customers.add(session["customer_email"])["id"]

        def change(intent: Document) -> None:
            intent["customer"] = id

        self._sandbox.store.update("stripe", "payment_intent", session["_intent"]["id"], change)
        return id

    def _set_method(self, intent_id: str, card: Card) -> None:
        method = self._methods.attach(card)

        def change(intent: Document) -> None:
            intent["payment_method"] = method["id"]

        self._sandbox.store.update("stripe", "payment_intent", intent_id, change)

    def _complete(self, session: Document, card: Card, plan: Plan, earlier: list[Event]) -> Attempt:
        wrong_by = 10 ** currencies.exponent(session["currency"].upper()) if plan.wrong_amount else 0
        is_held = session["_intent"]["capture_method"] == "manual"
        customer = self._customer_of(session)

        def close(document: Document) -> tuple[Document, Attempt]:
            _require_open(document)
            document.update(
                status="complete",
                customer=customer,
                payment_status="unpaid" if is_held else "paid",
                payment_intent=document["_intent"]["id"],
                amount_total=document["amount_total"] + wrong_by,
                amount_subtotal=document["amount_subtotal"] + wrong_by,
                customer_details={"email": document["customer_email"], "name": None, "phone": None},
                url=None,
            )
            return dict(document), self._intents.attempt(document["payment_intent"], card, plan)

        closed, attempt = self._sandbox.store.update("stripe", "session", session["id"], close)
        events = [*earlier, *attempt.events, Event("checkout.session.completed", closed)]
        self._callbacks.publish(events, plan)
        return attempt


def _customer_creation(params: forms.Params) -> str | None:
    """Whether the payment makes a customer; None where one is given."""
    if "customer" not in params:
        return forms.choice(params, "customer_creation", ("always", "if_required"), "if_required")
    if "customer_creation" in params:
        raise invalid(
            "You may only specify one of these parameters: customer, customer_creation.",
            param="customer_creation",
        )
    return None


def _require_open(session: Document) -> None:
    if session["status"] != "open":
        raise refused(f"This Checkout Session is not open: its status is {session['status']}.")


def _expiry(params: forms.Params, now: int) -> int:
    expires_at = forms.integer(params, "expires_at")
    if expires_at is None:
        return now + LONGEST_S
    # A minute is added on both sides, because the clocks of merchant and Stripe differ.
    if not SHORTEST_S - 60 <= expires_at - now <= LONGEST_S + 60:
        raise invalid(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.",
            param="expires_at",
        )
    return expires_at

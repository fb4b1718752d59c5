"""The Chapa adapter. The payment's tx_ref is our reference: Chapa gives no other reference before it is paid."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from app.providers.base import (
    Account,
    Acknowledgement,
    Callback,
    CallbackEvent,
    ChargeReference,
    ChargeRequest,
    Context,
    PayoutReference,
    PayoutRequest,
    Provider,
    ProviderResult,
    RefundReference,
    RefundRequest,
    State,
)
from app.providers.chapa import callbacks
from app.providers.chapa.amounts import MAX_DESCRIPTION, MAX_TITLE, contact, money, text
from app.providers.chapa.client import (
    ChapaClient,
    accepted,
    answered,
    data_of,
    is_success,
    message_of,
    refusal,
)
from app.providers.chapa.failures import FAILURES
from app.providers.chapa.payouts import transfer_body
from app.providers.chapa.settings import CAPABILITIES, SETTINGS
from app.providers.chapa.statuses import (
    CHARGES,
    ENVIRONMENTS,
    FAILED_TRIES,
    LINK_EXPIRED,
    NOT_PAID,
    NOT_THERE,
    PAYOUTS,
    REFUNDS,
)
from app.providers.environments import require_same
from app.providers.errors import Declined, OutcomeUnknown, ReceiptMissing, RequestRejected
from app.providers.facts import facts
from app.providers.http import Answer
from app.providers.replies import environment_of, require_reference, state_of, word

_PAYMENT: Final = (
    "status",
    "reference",
    "tx_ref",
    "amount",
    "charge",
    "currency",
    "mode",
    "method",
    "type",
    "created_at",
    "updated_at",
)
_REFUND: Final = (
    "id",
    "ref",
    "ref_id",
    "chapa_reference",
    "payment_reference",
    "bank_reference",
    "merchant_reference",
    "amount",
    "currency",
    "status",
    "reason",
)
_TRANSFER: Final = (
    "status",
    "tx_ref",
    "amount",
    "charge",
    "currency",
    "mode",
    "transfer_method",
    "chapa_transfer_id",
    "bank_code",
    "bank_name",
    "cross_party_reference",
    "created_at",
    "updated_at",
)


class Chapa(Provider):
    """Hosted checkout by `tx_ref`; every result is learnt by asking, callbacks only say when."""

    name = "chapa"
    title = "Chapa"
    failures = FAILURES
    capabilities = CAPABILITIES
    callback_headers = frozenset({callbacks.SIGNATURE, callbacks.OLDER_SIGNATURE})
    settings = SETTINGS
    base_urls = MappingProxyType(
        {
            # One host: the key decides between test and live.
            "live": "https://api.chapa.co/v1",
            "sandbox": "https://api.chapa.co/v1",
        }
    )
    simulator_path = "/v1"

    def __init__(self, account: Account, context: Context) -> None:
        super().__init__(account, context)
        self._client = ChapaClient(self.account, context)

    def read_callback(self, callback: Callback) -> CallbackEvent:
        return callbacks.read(callback, self.account)

    def acknowledge(self, event: CallbackEvent) -> Acknowledgement:
        """A transfer approval is refused here: only who knows the payout (`read_approval`) may answer it with 200."""
        if event.event_type == callbacks.APPROVAL:
            return Acknowledgement(status=400, body=MappingProxyType({"approved": False}))
        return super().acknowledge(event)

    # --- payments

    def _charge(self, request: ChargeRequest) -> ProviderResult:
        body = self._initialize_body(request)
        try:
            envelope = self._client.post("/transaction/initialize", body)
        except RequestRejected as error:
            # Chapa refuses e-mail addresses for reasons of its own and needs none: nothing was made, so ask without.
            if error.response.get("fields") != ["email"] or "email" not in body:
                raise
            del body["email"]
            envelope = self._client.post("/transaction/initialize", body)
        url = data_of(envelope).get("checkout_url")
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise OutcomeUnknown(
                "Chapa's answer holds no checkout_url.", code="incomplete", response=answered(envelope)
            )
        return ProviderResult(
            State.PENDING,
            provider_reference=request.reference,
            payment_url=url,
            response=answered(envelope),
        )

    def _initialize_body(self, request: ChargeRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "amount": str(request.amount),
            "currency": request.amount.currency,
            "tx_ref": request.reference,
            "callback_url": request.callback_url,
            "return_url": request.return_url,
            **contact(request.customer),
        }
        texts = {
            "title": text(self.account["title"], MAX_TITLE),
            "description": text(request.description, MAX_DESCRIPTION),
        }
        if shown := {name: value for name, value in texts.items() if value}:
            body["customization"] = shown
        return body

    def _inquire(self, charge: ChargeReference) -> ProviderResult:
        answer = self._client.get(f"/transaction/verify/{quote(charge.reference, safe='')}")
        if absent := _absence(answer):
            return absent
        data = _verified(answer, charge.reference)
        require_reference(data.get("tx_ref"), charge.reference, provider=self.title)
        self._require_environment(data)
        state = state_of(CHARGES, data.get("status"), provider=self.title)
        amount = money(data.get("amount"), data.get("currency"))
        receipt = data.get("reference")
        if state is State.SUCCEEDED and (amount is None or not isinstance(receipt, str) or not receipt):
            raise OutcomeUnknown(
                "Chapa says success without an amount or a reference.", response=facts(data, *_PAYMENT)
            )
        status = (word(data, "status") or "").lower()
        has_failed_try = status in FAILED_TRIES
        return ProviderResult(
            state,
            provider_reference=charge.reference,
            receipt=receipt if isinstance(receipt, str) and receipt else None,
            amount=amount,
            code=status if has_failed_try or state is State.CANCELLED else None,
            message=_sentence(state, has_failed_try=has_failed_try),
            has_failed_try=has_failed_try,
            response=facts(data, *_PAYMENT),
        )

    def _cancel(self, charge: ChargeReference) -> ProviderResult:
        """Close the payment's page, then ask: it may have been paid a moment before."""
        answer = self._client.put(f"/transaction/cancel/{quote(charge.reference, safe='')}")
        is_closed = is_success(answer) or LINK_EXPIRED in message_of(answer.object()).lower()
        if not is_closed:
            error = refusal(answer)
            if not isinstance(error, (RequestRejected, Declined)):
                raise error
        found = self._ask(charge)
        if is_closed and found.state is State.PENDING:
            return ProviderResult(
                State.CANCELLED, provider_reference=charge.reference, response=answered(answer.object())
            )
        return found

    # --- refunds

    def _refund(self, request: RefundRequest) -> ProviderResult:
        body = {
            "amount": str(request.amount),
            "reason": text(request.reason, 100) or "Refund",
            "reference": request.reference,
        }
        path = f"/refund/{quote(self._refund_key(request.charge), safe='')}"
        is_form = self.account["refund_encoding"] == "form"
        envelope = self._client.post_form(path, body) if is_form else self._client.post(path, body)
        data = data_of(envelope)
        if "status" not in data:
            # Accepted, with nothing of the refund: it is asked about by our reference. `tx_ref` names the payment, by our
            # reference or as the request did.
            named, key = data.get("tx_ref"), self._refund_key(request.charge)
            if named != key:
                require_reference(named, request.charge.reference, provider=self.title)
            return ProviderResult(State.PENDING, response=answered(envelope))
        return self._refund_result(data, request.reference)

    def _refund_key(self, charge: ChargeReference) -> str:
        """How Chapa names the payment: its own reference, as verify gave it, or our tx_ref (documents differ)."""
        if self.account["refund_by"] == "tx_ref":
            return charge.reference
        if not charge.receipt:
            raise ReceiptMissing
        return charge.receipt

    def _inquire_refund(self, refund: RefundReference) -> ProviderResult:
        """By Chapa's own id; when that was lost by our reference, which then must be in the answer."""
        known = refund.provider_reference
        data = data_of(
            accepted(self._client.get(f"/refund/{quote(known or refund.reference, safe='')}/verify"))
        )
        if known is None:
            require_reference(data.get("merchant_reference"), refund.reference, provider=self.title)
        return self._refund_result(data, refund.reference, known=known)

    def _refund_result(
        self, data: dict[str, Any], reference: str, *, known: str | None = None
    ) -> ProviderResult:
        """known: Chapa's id of the refund, where an earlier answer named it."""
        if data.get("merchant_reference") is not None:
            require_reference(data["merchant_reference"], reference, provider=self.title)
        # `ref_id` in today's documents, `ref` in older ones.
        own_id = word(data, "ref_id") or word(data, "ref") or known
        if known is not None:
            require_reference(own_id, known, provider=self.title)
        state = state_of(REFUNDS, data.get("status"), provider=self.title)
        amount = money(data.get("amount"), data.get("currency"))
        if own_id is None or (state is State.SUCCEEDED and amount is None):
            raise OutcomeUnknown(
                "Chapa's answer to the refund is incomplete.",
                code="incomplete",
                response=facts(data, *_REFUND),
            )
        return ProviderResult(
            state,
            provider_reference=own_id,
            receipt=word(data, "bank_reference"),
            amount=amount,
            code=word(data, "status") if state is State.FAILED else None,
            message="Chapa says that the refund failed." if state is State.FAILED else None,
            response=facts(data, *_REFUND),
        )

    # --- payouts

    def _check_payout(self, request: PayoutRequest) -> None:
        transfer_body(request)

    def _pay_out(self, request: PayoutRequest) -> ProviderResult:
        envelope = self._client.post("/transfers", transfer_body(request))
        # The whole of `data` is the reference; a client of Chapa's reads an object that holds it.
        data = envelope.get("data")
        reference = word(data, "reference") if isinstance(data, dict) else data
        if not isinstance(reference, str) or not reference:
            raise OutcomeUnknown(
                "Chapa's answer to the transfer is incomplete.",
                code="incomplete",
                response=answered(envelope),
            )
        return ProviderResult(State.PENDING, provider_reference=reference, response=answered(envelope))

    def _inquire_payout(self, payout: PayoutReference) -> ProviderResult:
        answer = self._client.get(f"/transfers/verify/{quote(payout.reference, safe='')}")
        if absent := _absence(answer):
            return absent
        data = data_of(accepted(answer))
        if data.get("tx_ref") is not None:
            require_reference(data["tx_ref"], payout.reference, provider=self.title)
        self._require_environment(data)
        state = state_of(PAYOUTS, data.get("status"), provider=self.title)
        amount = money(data.get("amount"), data.get("currency"))
        if state is State.SUCCEEDED and amount is None:
            raise OutcomeUnknown(
                "Chapa says success without an amount.", code="incomplete", response=facts(data, *_TRANSFER)
            )
        return ProviderResult(
            state,
            provider_reference=payout.provider_reference or payout.reference,
            receipt=word(data, "cross_party_reference") or word(data, "chapa_transfer_id"),
            amount=amount,
            code=word(data, "status") if state is State.FAILED else None,
            message="Chapa says that the transfer failed." if state is State.FAILED else None,
            response=facts(data, *_TRANSFER),
        )

    def _require_environment(self, data: dict[str, Any]) -> None:
        """Raises WrongEnvironment for what `mode` says is of the other mode. Chapa's documents show the member in samples
        only, so an answer without it is taken."""
        require_same(
            self.account,
            environment_of(data, "mode", ENVIRONMENTS),
            is_always_reported=False,
            response=facts(data, "tx_ref", "mode"),
        )


def _verified(answer: Answer, reference: str) -> dict[str, Any]:
    """`data` of a verified payment. Chapa's documents have `success` beside it; its list of errors and its own plugin have
    the payment's status there, so `data` counts whatever stands beside it, when it names our reference. Raises ProviderError.
    """
    data = answer.object().get("data")
    if answer.is_ok and isinstance(data, dict) and data.get("tx_ref") == reference:
        return data
    return data_of(accepted(answer))


def _sentence(state: State, *, has_failed_try: bool) -> str | None:
    if has_failed_try:
        return "Chapa says that the payment failed."
    return "Chapa says that the payment was cancelled." if state is State.CANCELLED else None


def _absence(answer: Answer) -> ProviderResult | None:
    """What Chapa says of a payment without a status: not paid yet (HTTP 404 or 200), or no such reference (404). None: it
    is no such answer."""
    message = message_of(answer.object())
    if answer.status not in (200, 404) or (answer.status == 200 and answer.object().get("data")):
        return None
    if NOT_PAID in message.lower():
        return ProviderResult(State.PENDING, response={"message": message})
    if answer.status == 404 and any(part in message.lower() for part in NOT_THERE):
        return ProviderResult(State.NOT_FOUND, response={"message": message})
    return None

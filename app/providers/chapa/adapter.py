"""The Chapa adapter. The payment's tx_ref is our reference: Chapa gives no other handle before it is paid."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from app.providers.base import (
    Account,
    AccountSetting,
    Acknowledgement,
    Callback,
    CallbackEvent,
    Capabilities,
    ChargeRequest,
    Handle,
    Kind,
    Limits,
    PayoutHandle,
    PayoutMethod,
    PayoutRequest,
    Provider,
    RefundHandle,
    RefundRequest,
    Result,
    State,
    Surroundings,
)
from app.providers.chapa import callbacks
from app.providers.chapa.amounts import MAX_DESCRIPTION, MAX_TITLE, clean, contact, facts, money, text
from app.providers.chapa.client import ChapaClient, message_of, told
from app.providers.chapa.statuses import CHARGES, NOT_PAID, NOT_THERE, PAYOUTS, REFUNDS, state_of
from app.providers.errors import InvalidRequest, NotSupported, OutcomeUnknown
from app.providers.http import Answer

_PAYMENT: Final = (
    "status", "reference", "tx_ref", "amount", "charge", "currency", "mode", "method", "type", "created_at",
    "updated_at",
)  # fmt: skip
_REFUND: Final = (
    "id", "ref", "chapa_reference", "bank_reference", "merchant_reference", "amount", "currency", "status", "reason",
)  # fmt: skip
_TRANSFER: Final = (
    "status", "tx_ref", "amount", "charge", "currency", "mode", "transfer_method", "chapa_transfer_id", "bank_code",
    "bank_name", "cross_party_reference", "created_at", "updated_at",
)  # fmt: skip


class Chapa(Provider):
    """Hosted checkout by `tx_ref`; every result is learnt by asking, callbacks only say when."""

    name = "chapa"
    title = "Chapa"
    capabilities = Capabilities(
        currencies=MappingProxyType({"ETB": Limits(), "USD": Limits()}),
        countries=frozenset({"ET"}),
        has_payment_page=True,
        asks=frozenset({Kind.PAYMENT, Kind.REFUND, Kind.PAYOUT}),
        is_resend_safe=True,
        payouts=MappingProxyType({PayoutMethod.BANK: frozenset({"ETB"})}),
        expires_after=timedelta(hours=24),
        # Chapa repeats a webhook for up to 72 hours.
        horizon=timedelta(hours=72),
    )
    settings = (
        AccountSetting(
            "secret_key", "secret API key, CHASECK-… or CHASECK_TEST-…", is_secret=True, is_required=True
        ),
        AccountSetting(
            "webhook_secret", "secret hash of the dashboard's webhook page", is_secret=True, is_required=True
        ),
        AccountSetting(
            "approval_secret", "secret of the transfer approval URL, if one is set", is_secret=True
        ),
        AccountSetting(
            "refund_by", "names a payment to be refunded: reference (Chapa's) or tx_ref", default="reference"
        ),
        AccountSetting("title", "title on the payment page, at most 16 characters", default="Payment"),
    )
    base_urls = MappingProxyType({
        # One host: the key decides between test and live.
        "live": "https://api.chapa.co/v1",
        "sandbox": "https://api.chapa.co/v1",
    })  # fmt: skip
    simulator_path = "/v1"

    def __init__(self, account: Account, surroundings: Surroundings) -> None:
        super().__init__(account, surroundings)
        self._client = ChapaClient(account, surroundings)

    def read_callback(self, callback: Callback) -> CallbackEvent:
        return callbacks.read(
            callback,
            webhook_secret=self.account["webhook_secret"],
            approval_secret=self.account["approval_secret"],
        )

    def acknowledge(self, event: CallbackEvent) -> Acknowledgement:
        """A transfer approval is refused here: only who knows the payout (`read_approval`) may answer it with 200."""
        if event.event_type == callbacks.APPROVAL:
            return Acknowledgement(status=400, body=MappingProxyType({"approved": False}))
        return super().acknowledge(event)

    # --- payments

    def _charge(self, request: ChargeRequest) -> Result:
        body = self._initialize_body(request)
        try:
            envelope = self._client.post("/transaction/initialize", body)
        except InvalidRequest as error:
            # Chapa refuses e-mail addresses for reasons of its own and needs none: nothing was made, so ask without.
            if error.response.get("fields") != ["email"] or "email" not in body:
                raise
            del body["email"]
            envelope = self._client.post("/transaction/initialize", body)
        url = _data(envelope).get("checkout_url")
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise OutcomeUnknown(
                "Chapa's answer holds no checkout_url.", code="incomplete", response=_said(envelope)
            )
        return Result(
            State.PENDING,
            provider_reference=request.reference,
            payment_url=url,
            response=_said(envelope),
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

    def _inquire(self, charge: Handle) -> Result:
        answer = self._client.get(f"/transaction/verify/{quote(charge.reference, safe='')}")
        if absent := _absence(answer):
            return absent
        data = _data(told(answer))
        _require_same(data.get("tx_ref"), charge.reference)
        state = state_of(CHARGES, data.get("status"))
        amount = money(data.get("amount"), data.get("currency"))
        receipt = data.get("reference")
        if state is State.SUCCEEDED and (amount is None or not isinstance(receipt, str) or not receipt):
            raise OutcomeUnknown(
                "Chapa says success without an amount or a reference.", response=facts(data, *_PAYMENT)
            )
        is_bad = state in (State.FAILED, State.CANCELLED)
        return Result(
            state,
            provider_reference=charge.reference,
            receipt=receipt if isinstance(receipt, str) and receipt else None,
            amount=amount,
            code=_word(data, "status") if is_bad else None,
            message="Chapa says that the payment failed." if is_bad else None,
            response=facts(data, *_PAYMENT),
        )

    # --- refunds

    def _refund(self, request: RefundRequest) -> Result:
        body = {
            "amount": str(request.amount),
            "reason": text(request.reason, 100) or "Refund",
            "reference": request.reference,
        }
        path = f"/refund/{quote(self._refund_key(request.charge), safe='')}"
        data = _data(self._client.post(path, body))
        return self._refund_result(data, request.reference, own_id=data.get("ref"))

    def _refund_key(self, charge: Handle) -> str:
        """How Chapa names the payment: its own reference, as verify gave it, or our tx_ref (documents differ)."""
        if self.account["refund_by"] == "tx_ref":
            return charge.reference
        if not charge.receipt:
            raise InvalidRequest(
                "Chapa's reference of this payment is not known yet: ask for its state first.",
                code="no_receipt",
            )
        return charge.receipt

    def _inquire_refund(self, refund: RefundHandle) -> Result:
        """By Chapa's own id; when that was lost by our reference, which then must be in the answer."""
        key = refund.provider_reference or refund.reference
        data = _data(told(self._client.get(f"/refund/{quote(key, safe='')}/verify")))
        if not refund.provider_reference:
            _require_same(data.get("merchant_reference"), refund.reference)
        return self._refund_result(
            data, refund.reference, own_id=refund.provider_reference or data.get("ref")
        )

    def _refund_result(self, data: dict[str, Any], reference: str, *, own_id: object) -> Result:
        if data.get("merchant_reference") is not None:
            _require_same(data["merchant_reference"], reference)
        state = state_of(REFUNDS, data.get("status"))
        amount = money(data.get("amount"), data.get("currency"))
        if not isinstance(own_id, str) or not own_id or (state is State.SUCCEEDED and amount is None):
            raise OutcomeUnknown(
                "Chapa's answer to the refund is incomplete.",
                code="incomplete",
                response=facts(data, *_REFUND),
            )
        return Result(
            state,
            provider_reference=own_id,
            receipt=_word(data, "bank_reference") or _word(data, "chapa_reference"),
            amount=amount,
            code=_word(data, "status") if state is State.FAILED else None,
            message="Chapa says that the refund failed." if state is State.FAILED else None,
            response=facts(data, *_REFUND),
        )

    # --- payouts

    def _pay_out(self, request: PayoutRequest) -> Result:
        if request.method is not PayoutMethod.BANK or request.amount.currency != "ETB":
            raise NotSupported("Chapa pays out ETB to bank accounts and wallets only.", code="method")
        envelope = self._client.post("/transfers", _transfer_body(request))
        # The whole of `data` is the reference, not an object.
        reference = envelope.get("data")
        if not isinstance(reference, str) or not reference:
            raise OutcomeUnknown(
                "Chapa's answer to the transfer is incomplete.", code="incomplete", response=_said(envelope)
            )
        return Result(State.PENDING, provider_reference=reference, response=_said(envelope))

    def _inquire_payout(self, payout: PayoutHandle) -> Result:
        answer = self._client.get(f"/transfers/verify/{quote(payout.reference, safe='')}")
        if absent := _absence(answer):
            return absent
        data = _data(told(answer))
        if data.get("tx_ref") is not None:
            _require_same(data["tx_ref"], payout.reference)
        state = state_of(PAYOUTS, data.get("status"))
        amount = money(data.get("amount"), data.get("currency"))
        if state is State.SUCCEEDED and amount is None:
            raise OutcomeUnknown(
                "Chapa says success without an amount.", code="incomplete", response=facts(data, *_TRANSFER)
            )
        return Result(
            state,
            provider_reference=payout.provider_reference or payout.reference,
            receipt=_word(data, "cross_party_reference") or _word(data, "chapa_transfer_id"),
            amount=amount,
            code=_word(data, "status") if state is State.FAILED else None,
            message="Chapa says that the transfer failed." if state is State.FAILED else None,
            response=facts(data, *_TRANSFER),
        )


def _transfer_body(request: PayoutRequest) -> dict[str, Any]:
    """Raises InvalidRequest when the destination lacks what Chapa needs."""
    account = {name: request.destination.get(name, "").strip() for name in _DESTINATION}
    for name, value in account.items():
        if not value:
            raise InvalidRequest(f"Chapa needs the destination's {name}.", code=name)
    if not (account["bank_code"].isascii() and account["bank_code"].isdigit()):
        raise InvalidRequest("Chapa's bank codes are numbers (GET /banks).", code="bank_code")
    return {
        **account,
        "bank_code": int(account["bank_code"]),
        "amount": str(request.amount),
        "currency": request.amount.currency,
        "reference": request.reference,
    }


_DESTINATION: Final = ("account_name", "account_number", "bank_code")


def _absence(answer: Answer) -> Result | None:
    """What a 404 of Chapa's own says: not paid yet, or no such reference. None: it is no such answer."""
    if answer.status != 404:
        return None
    said = message_of(answer.object())
    if NOT_PAID in said.lower():
        return Result(State.PENDING, response={"message": said})
    if any(part in said.lower() for part in NOT_THERE):
        return Result(State.NOT_FOUND, response={"message": said})
    return None


def _data(envelope: dict[str, Any]) -> dict[str, Any]:
    data = envelope.get("data")
    if not isinstance(data, dict):
        raise OutcomeUnknown("Chapa's answer holds no data.", code="incomplete", response=_said(envelope))
    return data


def _said(envelope: dict[str, Any]) -> dict[str, Any]:
    return {**facts(envelope, "status"), "message": message_of(envelope)}


def _word(data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    return clean(str(value)) if isinstance(value, (str, int)) and value else None


def _require_same(theirs: object, ours: str) -> None:
    if theirs != ours:
        raise OutcomeUnknown("Chapa answered about another reference.", code="other_reference")

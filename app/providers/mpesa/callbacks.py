"""What Daraja posts: push results, results of payouts, reversals and status queries, time-outs, C2B confirmations.

Nothing is signed. The bodies of a failed payout, a failed reversal and a failed status query are alike, and a failed
*question* must never pass for a failed payout: so every URL but the push's says in `notice` what comes to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from app import json_numbers
from app.errors import InvalidAmount
from app.money import Money
from app.providers.base import Callback, CallbackEvent, Kind, ProviderResult, State
from app.providers.errors import InvalidCallback
from app.providers.mpesa.statuses import TRANSACTION_STATUSES, state_when_reported
from app.providers.mpesa.values import code_of, facts, id_of, money_of, text_of

NOTICE_KINDS: Final[Mapping[str, Kind]] = {
    "payout": Kind.PAYOUT,
    "till": Kind.PAYOUT,
    "refund": Kind.REFUND,
    "payment": Kind.PAYMENT,
}
NAMED_BY_DARAJA: Final = frozenset({"till", "refund", "payment"})
"""Requests that take no OriginatorConversationID of ours: Daraja makes one, and is asked by it (`adapter`)."""

OPEN_TYPE: Final = "1"
"""`ResultType` of a result that further messages will follow; 0 is the last one."""

REFUND_KEYS: Final = frozenset({"OriginalTransactionID"})
PAYOUT_KEYS: Final = frozenset(
    {
        "TransactionReceipt",
        "ReceiverPartyPublicName",
        "B2CUtilityAccountAvailableFunds",
        "DebitPartyAffectedAccountBalance",
        "InitiatorAccountCurrentBalance",
    }
)
STATUS_KEY: Final = "TransactionStatus"

RESULT_FACTS: Final = ("ResultCode", "ResultDesc", "ConversationID", "OriginatorConversationID")
PARAMETER_FACTS: Final = (
    "TransactionStatus",
    "FinalisedTime",
    "TransCompletedTime",
    "TransactionCompletedDateTime",
    "DebitPartyCharges",
    "Charge",
    "ReasonType",
)

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Notice:
    """What a callback URL says of the message that comes to it. message: `result`, `status`, `timeout`, or empty where
    the URL does not say. has_our_id: the request's OriginatorConversationID was our reference."""

    kind: Kind = Kind.OTHER
    message: str = ""
    has_our_id: bool = True

    def references(self, conversation: str | None, originator: str | None) -> tuple[str | None, str | None]:
        """(our reference, Daraja's) of the ids of a request."""
        return (originator, conversation) if self.has_our_id else (None, originator or conversation)


def read(callback: Callback) -> CallbackEvent:
    """Raises InvalidCallback."""
    body = _load(callback.body)
    notice = _notice(callback.query)
    if notice.message == "timeout":
        return _timeout(body, notice, callback.body)
    push = body.get("Body")
    if isinstance(push, dict) and isinstance(push.get("stkCallback"), dict):
        return _push(push["stkCallback"])
    if isinstance(body.get("Result"), dict):
        return _result(body["Result"], notice)
    if "TransID" in body:
        return _confirmation(body)
    raise InvalidCallback("This is no message of Daraja's.", code="unknown_shape")


def _load(raw: bytes) -> Body:
    try:
        body = json_numbers.loads(raw, is_unreadable_none=True)
    except ValueError as error:
        raise InvalidCallback("The callback is not JSON.", code="not_json") from error
    if not isinstance(body, dict):
        raise InvalidCallback("The callback is not a JSON object.", code="not_an_object")
    return body


def _notice(query: Mapping[str, str]) -> Notice:
    """Of `payout`, `till-status`, `refund-timeout`…"""
    operation, _, message = query.get("notice", "").partition("-")
    kind = NOTICE_KINDS.get(operation)
    return Notice(kind, message or "result", operation not in NAMED_BY_DARAJA) if kind else Notice()


def _push(push: Body) -> CallbackEvent:
    checkout, code = id_of(push.get("CheckoutRequestID")), code_of(push.get("ResultCode"))
    if checkout is None or code is None:
        raise InvalidCallback("The push result names no checkout or no code.", code="incomplete")
    # Only a claim: the push is queried before it counts.
    state = State.PENDING if _is_open(push) else state_when_reported(code, unknown=State.FAILED)
    description = text_of(push.get("ResultDesc"))
    answered = facts(push, ("MerchantRequestID", "CheckoutRequestID", "ResultCode", "ResultDesc"))
    receipt, amount = None, None
    if state is State.SUCCEEDED:
        metadata = _pairs(push.get("CallbackMetadata"), "Item", "Name")
        receipt, amount = id_of(metadata.get("MpesaReceiptNumber")), _amount(metadata.get("Amount"))
        answered |= facts(metadata, ("MpesaReceiptNumber", "Amount", "TransactionDate"))
    return CallbackEvent(
        event_id=_event_id("push", checkout, code, _open_mark(push)),
        kind=Kind.PAYMENT,
        event_type="push.result",
        provider_reference=checkout,
        reported=_reported(state, checkout, receipt, amount, code, description, answered),
    )


def _is_open(result: Body) -> bool:
    return code_of(result.get("ResultType")) == OPEN_TYPE


def _open_mark(result: Body) -> str | None:
    """Part of an event id: the last message must not pass for a repeat of one that it follows."""
    return "open" if _is_open(result) else None


def _result(result: Body, notice: Notice) -> CallbackEvent:
    code = code_of(result.get("ResultCode"))
    conversation, originator = (
        id_of(result.get("ConversationID")),
        id_of(result.get("OriginatorConversationID")),
    )
    if code is None or not (conversation or originator):
        raise InvalidCallback("The result names no conversation or no code.", code="incomplete")
    found = _pairs(result.get("ResultParameters"), "ResultParameter", "Key")
    answered = facts(result, RESULT_FACTS) | facts(found, PARAMETER_FACTS)
    if notice.message == "status" or STATUS_KEY in found:
        return _status(result, notice, code, found, answered)
    # This message ends a refund or payout by itself, and what is held for it is released: only by a code that is known.
    state = State.PENDING if _is_open(result) else state_when_reported(code, unknown=State.PENDING)
    receipt = _receipt(result, found) if state is State.SUCCEEDED else None
    amount = (
        _amount(found.get("TransactionAmount", found.get("Amount"))) if state is State.SUCCEEDED else None
    )
    kind = _kind(found) if notice.kind is Kind.OTHER else notice.kind
    reference, of_daraja = notice.references(conversation, originator)
    # A balance and other results that are no movement of money have none of the keys: kind OTHER.
    return CallbackEvent(
        event_id=_event_id("result", conversation or originator, code, _open_mark(result)),
        kind=kind,
        event_type=f"{kind.value}.result",
        reference=reference,
        provider_reference=of_daraja,
        reported=_reported(
            state, of_daraja, receipt, amount, code, text_of(result.get("ResultDesc")), answered
        ),
    )


def _status(result: Body, notice: Notice, code: str, found: Body, answered: Body) -> CallbackEvent:
    """The answer to a status query. ResultCode 0 means that the *query* worked; the word says how the operation
    stands. A query that failed says nothing, nor does an unknown status: both leave it PENDING."""
    word = text_of(found.get(STATUS_KEY)).strip()
    says = code == "0" and not _is_open(result)
    state = TRANSACTION_STATUSES.get(word.lower(), State.PENDING) if says else State.PENDING
    is_done = state is State.SUCCEEDED
    # A push is asked about by its receipt; it has no conversation.
    is_payment = notice.kind is Kind.PAYMENT
    # The parameters name the operation; the envelope's ids are the query's own.
    question = id_of(result.get("ConversationID")) or id_of(result.get("OriginatorConversationID"))
    reference, original = notice.references(
        id_of(found.get("ConversationID")), id_of(found.get("OriginatorConversationID"))
    )
    return CallbackEvent(
        event_id=_event_id("status", question, code, word.lower(), _open_mark(result)),
        kind=notice.kind,
        event_type=f"{notice.kind.value}.status",
        reference=reference,
        provider_reference=None if is_payment else original,
        answer_to=question if is_payment else None,
        reported=_reported(
            state,
            None if is_payment else original,
            id_of(found.get("ReceiptNo")) if is_done else None,
            _amount(found.get("Amount")) if is_done else None,
            word if code == "0" and word else code,
            text_of(result.get("ResultDesc")),
            answered,
        ),
    )


def _timeout(body: Body, notice: Notice, raw: bytes) -> CallbackEvent:
    """ "Not processed in time": the outcome is open. The shape is nowhere documented, so none is required."""
    result = body.get("Result")
    source: Body = result if isinstance(result, dict) else body
    conversation, originator = (
        id_of(source.get("ConversationID")),
        id_of(source.get("OriginatorConversationID")),
    )
    reference, of_daraja = notice.references(conversation, originator)
    return CallbackEvent(
        event_id=_event_id("timeout", conversation or originator or hashlib.sha256(raw).hexdigest()),
        kind=notice.kind,
        event_type=f"{notice.kind.value}.timeout",
        reference=reference,
        provider_reference=of_daraja,
        reported=ProviderResult(
            State.PENDING,
            provider_reference=of_daraja,
            code="queue_timeout",
            message="M-Pesa did not process this in time; the outcome is open.",
            response=facts(source, RESULT_FACTS),
        ),
    )


def _confirmation(body: Body) -> CallbackEvent:
    """A customer paid from the phone's menu (C2B): the gateway asked for nothing, so it is only kept."""
    receipt = id_of(body.get("TransID"))
    if receipt is None:
        raise InvalidCallback("The confirmation names no transaction.", code="incomplete")
    answered = facts(
        body, ("TransactionType", "TransID", "TransTime", "TransAmount", "BusinessShortCode", "BillRefNumber")
    )
    return CallbackEvent(
        event_id=_event_id("c2b", receipt),
        kind=Kind.OTHER,
        event_type="c2b.confirmation",
        provider_reference=receipt,
        reported=ProviderResult(
            State.SUCCEEDED,
            provider_reference=receipt,
            receipt=receipt,
            amount=_amount(body.get("TransAmount")),
            response=answered,
        ),
    )


def _reported(
    state: State,
    provider_reference: str | None,
    receipt: str | None,
    amount: Money | None,
    code: str,
    description: str,
    answered: Body,
) -> ProviderResult:
    is_done = state is State.SUCCEEDED
    return ProviderResult(
        state,
        provider_reference=provider_reference,
        receipt=receipt,
        amount=amount,
        code=None if is_done else code,
        message=None if is_done else description or None,
        response=answered,
    )


def _pairs(holder: object, list_name: str, key_name: str) -> Body:
    """Key → Value of `{list_name: [{Key, Value}…]}`. Either may be one object in place of a list, the list may stand
    alone, Value may be absent. Of a key that comes twice (a sample does) the first counts. Status results were seen with
    `Conversation ID` for `ConversationID`: keys are taken without spaces."""
    items = holder.get(list_name) if isinstance(holder, dict) else holder
    pairs: Body = {}
    for item in items if isinstance(items, list) else [items]:
        if isinstance(item, dict) and isinstance(item.get(key_name), str):
            pairs.setdefault(item[key_name].replace(" ", ""), item.get("Value"))
    return pairs


def _kind(found: Body) -> Kind:
    if REFUND_KEYS & found.keys():
        return Kind.REFUND
    return Kind.PAYOUT if PAYOUT_KEYS & found.keys() else Kind.OTHER


def _receipt(result: Body, found: Body) -> str | None:
    """Only of a success: a failed result has a made-up TransactionID."""
    return id_of(found.get("TransactionReceipt")) or id_of(result.get("TransactionID"))


def _amount(value: object) -> Money | None:
    """None also where it cannot be read: the rest of the message still counts."""
    try:
        return money_of(value)
    except InvalidAmount:
        return None


def _event_id(*parts: str | None) -> str:
    """At most 255 characters: ids are at most 100 long, and a word that is longer is replaced by its digest."""
    return ":".join(
        part if len(part) <= 100 else hashlib.sha256(part.encode()).hexdigest() for part in parts if part
    )

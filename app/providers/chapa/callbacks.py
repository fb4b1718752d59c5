"""What Chapa sends: signed webhooks, the unsigned hint to the payment's callback_url, the transfer approval.

Two headers carry a hash. `x-chapa-signature` covers the raw body: that is proof. `chapa-signature` covers it too in
Chapa's custom webhooks; in its plain ones it hashes the secret with itself: a constant, which anyone who has seen one
delivery can repeat, so that makes a delivery a hint at most.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from urllib.parse import parse_qsl

from app.money import Money
from app.providers.base import Account, Callback, CallbackEvent, Kind, ProviderResult, State
from app.providers.chapa.amounts import money
from app.providers.chapa.statuses import ENVIRONMENTS, EVENTS
from app.providers.environments import objection
from app.providers.errors import ForgedCallback, InvalidCallback
from app.providers.facts import facts, json_object, signed
from app.providers.replies import environment_of

MAX_EVENT_ID: Final = 255
MAX_WORD: Final = 200
APPROVAL: Final = "transfer.approval"
HINT: Final = "callback"
TRANSFER_CURRENCY: Final = "ETB"
SIGNATURE: Final = "x-chapa-signature"
OLDER_SIGNATURE: Final = "chapa-signature"

_REPORTED: Final = (
    "event",
    "status",
    "reference",
    "chapa_reference",
    "bank_reference",
    "tx_ref",
    "amount",
    "charge",
    "currency",
    "mode",
    "type",
    "payment_method",
    "bank_name",
    "created_at",
    "updated_at",
)


@dataclass(frozen=True, slots=True)
class TransferApproval:
    """A transfer Chapa asks us to approve. Answer 200 only when reference, amount and account are those of a payout
    that is being sent; anything else is refused with 400. amount is None when it cannot be read."""

    reference: str
    amount: Money | None
    bank: str
    account_number: str = field(repr=False)
    account_name: str = field(repr=False)


def read(callback: Callback, account: Account) -> CallbackEvent:
    """The event of a delivery. Raises ForgedCallback, InvalidCallback."""
    webhook_secret, approval_secret = account["webhook_secret"], account["approval_secret"]
    signature = callback.headers.get(SIGNATURE)
    if signature is not None:
        if not _is_signed(signature, webhook_secret, callback.body):
            raise ForgedCallback
        with signed():
            return _webhook(json_object(callback.body), account, is_verified=True)
    if callback.method.upper() == "GET":
        return _hint(callback.query)
    content = _members(callback.body)
    older = callback.headers.get(OLDER_SIGNATURE, "")
    if "event" not in content and "account_number" in content:
        return _approval(content, is_verified=_covers_body(older, approval_secret, callback.body))
    if "event" in content:
        return _webhook(content, account, is_verified=_covers_body(older, webhook_secret, callback.body))
    return _hint({**callback.query, **content})


def read_approval(body: bytes) -> TransferApproval:
    """What a `transfer.approval` delivery asks for. Raises InvalidCallback."""
    content = json_object(body)
    return TransferApproval(
        reference=_text(content, "reference"),
        amount=money(content.get("amount"), TRANSFER_CURRENCY),
        bank=_text(content, "bank"),
        account_number=_text(content, "account_number"),
        account_name=_text(content, "account_name"),
    )


def sign(body: bytes, secret: str) -> str:
    """The hex HMAC-SHA256 Chapa puts in `x-chapa-signature`."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _is_signed(signature: str, secret: str, message: bytes) -> bool:
    # Without a secret everybody could sign.
    given = signature.strip().encode("utf-8", "replace")
    return bool(secret) and hmac.compare_digest(given, sign(message, secret).encode())


def _covers_body(signature: str, secret: str, body: bytes) -> bool:
    """Whether a `chapa-signature` is the hash of the body; False: of the secret itself. Raises ForgedCallback: of
    neither. Chapa's documents do not say clearly which of the two is meant where."""
    if _is_signed(signature, secret, body):
        return True
    if _is_signed(signature, secret, secret.encode()):
        return False
    raise ForgedCallback


def _webhook(content: Mapping[str, Any], account: Account, *, is_verified: bool) -> CallbackEvent:
    inner = content.get("data")
    members = {**content, **inner} if isinstance(inner, dict) else dict(content)
    event = _text(members, "event")
    if not event:
        return _hint(members)
    kind, state = EVENTS.get(event, (Kind.OTHER, State.PENDING))
    theirs = _text(members, "chapa_reference" if kind is Kind.PAYOUT else "reference")
    ours = _text(members, "reference" if kind is Kind.PAYOUT else "tx_ref")
    if kind is not Kind.OTHER and not ours:
        raise InvalidCallback("The callback names no reference.")
    # Two partial refunds of one payment are different events; the rest of what Chapa sends differs by its status.
    turn = _text(members, "amount") + _text(members, "updated_at") if kind is Kind.REFUND else ""
    return CallbackEvent(
        event_id=_event_id(event, ours or theirs, _text(members, "status"), turn),
        kind=kind,
        event_type=event,
        reference=ours or None,
        provider_reference=theirs or None,
        is_verified=is_verified,
        reported=_reported(members, state, receipt=theirs)
        if is_verified and kind is not Kind.OTHER
        else None,
        objection=objection(account, environment_of(members, "mode", ENVIRONMENTS)),
    )


def _reported(members: Mapping[str, Any], state: State, *, receipt: str) -> ProviderResult:
    """The event's name decides."""
    return ProviderResult(
        state,
        receipt=receipt or None,
        amount=money(members.get("amount"), members.get("currency")),
        code=_text(members, "status").lower() if state is State.FAILED else None,
        response=facts(members, *_REPORTED),
    )


def _hint(members: Mapping[str, Any]) -> CallbackEvent:
    """`tx_ref` in today's documents, `trx_ref` in older ones and most clients. Nothing in it is proof."""
    reference = _text(members, "tx_ref") or _text(members, "trx_ref")
    if not reference:
        raise InvalidCallback("The callback names no tx_ref.")
    return CallbackEvent(
        event_id=_event_id(HINT, reference, _text(members, "status"), ""),
        kind=Kind.PAYMENT,
        event_type=HINT,
        reference=reference,
        provider_reference=_text(members, "ref_id") or None,
    )


def _approval(content: Mapping[str, Any], *, is_verified: bool) -> CallbackEvent:
    reference = _text(content, "reference")
    if not reference:
        raise InvalidCallback("The transfer approval names no reference.")
    return CallbackEvent(
        event_id=_event_id(APPROVAL, reference, "", ""),
        kind=Kind.PAYOUT,
        event_type=APPROVAL,
        reference=reference,
        is_verified=is_verified,
    )


def _members(body: bytes) -> dict[str, Any]:
    """The members of a JSON object or of a form: what the content type says is not asked."""
    if body.lstrip().startswith(b"{"):
        return json_object(body)
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=50))
    except ValueError:
        raise InvalidCallback from None


def _text(members: Mapping[str, Any], name: str) -> str:
    """The member as a text; empty when it is no word: no database takes NUL or half a character."""
    value = members.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return ""
    text = str(value).strip()
    return text if text.isprintable() and len(text) <= MAX_WORD else ""


def _event_id(*parts: str) -> str:
    """The same for repeats of the same event; a long one is hashed."""
    plain = ":".join(parts).rstrip(":")
    return plain if len(plain) <= MAX_EVENT_ID else f"sha256:{hashlib.sha256(plain.encode()).hexdigest()}"

"""Where a tenant is paid out to: what a destination must hold, and which ones it has used."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import phonenumbers
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock, ids
from app.card_numbers import has_card_number
from app.errors import CardDataNotAllowed, InvalidRequest, NotFound
from app.events import outbox
from app.events.catalogue import EventType
from app.events.payloads import destination_payload
from app.models.tenant import Tenant
from app.models.withdrawal import PayoutDestination
from app.principal import Principal
from app.providers.base import PayoutMethod
from app.services.payouts.routing import METHODS
from app.services.withdrawals import four_eyes
from app.services.withdrawals.digests import destination_digest
from app.services.withdrawals.errors import FourEyesViolation
from app.services.withdrawals.masking import masked
from app.services.write_sets.rows import new_row
from app.unit_of_work import reading, transaction

MAX_LISTED: Final = 200
"""Destinations in a list."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """needs: the names of a method's details, each with its form. missing: what is answered when one is missing."""

    needs: Mapping[str, re.Pattern[str]]
    missing: str


_SHAPES: Final[Mapping[PayoutMethod, _Shape]] = MappingProxyType(
    {
        PayoutMethod.MPESA: _Shape(
            {"phone_number": re.compile(r"\+?[0-9 ()-]{6,25}", re.ASCII)},
            "M-Pesa withdrawal requires phone_number",
        ),
        PayoutMethod.TILL: _Shape(
            {"till_number": re.compile(r"[0-9]{5,7}", re.ASCII)}, "Till withdrawal requires till_number"
        ),
        PayoutMethod.BANK: _Shape(
            {
                "account_number": re.compile(r"[A-Za-z0-9]{4,34}", re.ASCII),
                "bank_code": re.compile(r"[A-Za-z0-9_-]{1,20}", re.ASCII),
                "account_name": re.compile(r".{1,100}"),
            },
            "Bank transfer requires: account_number, bank_code, account_name",
        ),
    }
)


def valid_method(text: str) -> PayoutMethod:
    """Raises InvalidRequest."""
    if text not in METHODS:
        raise InvalidRequest(f"Invalid method_type: {text}. Must be one of {[one.value for one in METHODS]}")
    return PayoutMethod(text)


def valid_details(method: PayoutMethod, details: Mapping[str, object], currency: str) -> Mapping[str, str]:
    """The destination as it is stored and paid: the phone as `254712345678`. Raises InvalidRequest."""
    shape = _SHAPES[method]
    if unknown := sorted(set(details) - set(shape.needs)):
        raise InvalidRequest(f"Unknown details of {method.value}: {', '.join(unknown)}")
    found = {name: _text(details.get(name)) for name in shape.needs}
    if not all(found.values()):
        raise InvalidRequest(shape.missing)
    for name, form in shape.needs.items():
        if not form.fullmatch(found[name]) or not found[name].isprintable():
            raise InvalidRequest(f"Invalid {name}")
    if has_card_number(found.get("account_name", "")):
        raise CardDataNotAllowed
    if "phone_number" in found:
        found["phone_number"] = _msisdn(found["phone_number"], currency)
    return found


def _text(value: object) -> str:
    if value is None or isinstance(value, str):
        return (value or "").strip()
    raise InvalidRequest("method_details must hold texts")


def _msisdn(phone: str, currency: str) -> str:
    """`254712345678` of a number in any usual spelling, of the currency's country."""
    region = currency[:2]  # the country that the currency's code begins with
    try:
        number = phonenumbers.parse(phone, region)
    except phonenumbers.NumberParseException:
        raise InvalidRequest("Invalid phone_number") from None
    is_here = number.country_code == phonenumbers.country_code_for_region(region)
    if not is_here or not phonenumbers.is_possible_number(number):
        raise InvalidRequest("Invalid phone_number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")


def known_or_new(
    tenant_id: uuid.UUID, method: PayoutMethod, details: Mapping[str, str], *, added_by: uuid.UUID | None
) -> tuple[PayoutDestination, bool]:
    """This destination of the tenant, and whether it is new: a row that is not stored yet."""
    digest = destination_digest(method, details)
    wanted = select(PayoutDestination).where(
        PayoutDestination.tenant_id == tenant_id, PayoutDestination.digest == digest
    )
    with reading() as session:
        known = session.scalars(wanted).one_or_none()
    if known is not None:
        return known, False
    return (
        new_row(
            PayoutDestination,
            id=ids.uuid7(),
            tenant_id=tenant_id,
            digest=digest,
            method=method.value,
            details=dict(details),
            added_by=added_by,
            added_at=clock.now(),
        ),
        True,
    )


def listed(tenant_id: uuid.UUID) -> tuple[list[PayoutDestination], uuid.UUID | None]:
    """The tenant's destinations, newest first, and the id of its default one."""
    wanted = select(PayoutDestination).where(PayoutDestination.tenant_id == tenant_id)
    newest_first = (PayoutDestination.added_at.desc(), PayoutDestination.id)
    with reading() as session:
        tenant = session.get_one(Tenant, tenant_id)
        return list(
            session.scalars(wanted.order_by(*newest_first).limit(MAX_LISTED))
        ), tenant.payout_destination_id


def chosen(tenant: Tenant) -> PayoutDestination | None:
    """Where the tenant is paid out to by default."""
    if tenant.payout_destination_id is None:
        return None
    with reading() as session:
        return session.get(PayoutDestination, tenant.payout_destination_id)


def choose(
    member: Principal, method: str, details: Mapping[str, object], *, currency: str | None = None
) -> PayoutDestination:
    """Make this the tenant's default destination; it is added where it is new. Raises InvalidRequest."""
    now = clock.now()

    def work(session: Session) -> PayoutDestination:
        tenant = session.get_one(Tenant, member.tenant_id, with_for_update={"key_share": True})
        kind = valid_method(method)
        found = valid_details(kind, details, currency or tenant.currency)
        digest = destination_digest(kind, found)
        added = session.execute(
            insert(PayoutDestination)
            .values(
                id=ids.uuid7(),
                tenant_id=tenant.id,
                digest=digest,
                method=kind,
                details=found,
                added_by=member.user,
                added_at=now,
            )
            .on_conflict_do_nothing()
            .returning(PayoutDestination.id)
        ).first()
        destination = session.scalars(
            select(PayoutDestination).where(
                PayoutDestination.tenant_id == tenant.id, PayoutDestination.digest == digest
            )
        ).one()
        if added is not None:
            _record(session, EventType.PAYOUT_DESTINATION_ADDED, destination, member)
        tenant.payout_destination_id = destination.id
        _record(session, EventType.PAYOUT_METHOD_SET, destination, member)
        return destination

    return transaction(work)


def confirm(member: Principal, destination_id: uuid.UUID) -> PayoutDestination:
    """Confirm a destination that another person added. Raises NotFound, FourEyesViolation."""
    now = clock.now()

    def work(session: Session) -> PayoutDestination:
        destination = session.get(PayoutDestination, destination_id, with_for_update={"key_share": True})
        if destination is None or destination.tenant_id != member.tenant_id:
            raise NotFound
        if destination.added_by is not None and four_eyes.is_same_person(
            destination.added_by, member.user_id
        ):
            raise FourEyesViolation("A destination is confirmed by another person than the one who added it.")
        if destination.confirmed_at is None:
            destination.confirmed_by, destination.confirmed_at = member.user_id, now
            _record(session, EventType.PAYOUT_DESTINATION_CONFIRMED, destination, member)
        return destination

    return transaction(work)


def _record(
    session: Session, event_type: EventType, destination: PayoutDestination, member: Principal
) -> None:
    outbox.record(
        session,
        event_type,
        object_id=str(destination.id),
        data=destination_payload(destination, masked(destination.details)),
        now=clock.now(),
        actor=member,
        tenant_id=destination.tenant_id,
        is_public=False,
    )

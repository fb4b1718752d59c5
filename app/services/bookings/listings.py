"""Listings: what booking sites let by the night.

Guarantees: everyone may read a listing until it is withdrawn or its site suspended; a site changes its own only. A new price is that of later bookings.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app import clock, ids
from app.errors import InvalidAmount
from app.events import outbox
from app.events.catalogue import EventType
from app.models.booking import Listing
from app.models.tenant import Tenant
from app.money import Money
from app.principal import Principal
from app.services import list_totals
from app.services.bookings.errors import ListingNotFound
from app.services.pages import Page, PageRequest
from app.unit_of_work import reading, transaction

MAX_PRICE_MINOR: Final = 10**12
"""Of a night, minor units: a booking's total is an amount that can be paid."""


@dataclass(frozen=True, slots=True)
class ListingRequest:
    """price_per_night: in major units, as Money.parse takes it. currency: None for the site's, or of a listing that is changed for
    its own."""

    title: str
    location: str
    price_per_night: object
    max_guests: int
    currency: str | None = None
    description: str | None = None

    @classmethod
    def of(cls, listing: Listing) -> ListingRequest:
        """As the listing is now."""
        price = Money(listing.price_per_night, listing.currency)
        return cls(listing.title, listing.location, str(price), listing.max_guests, None, listing.description)


def get_listing(listing_id: uuid.UUID) -> Listing:
    """Raises ListingNotFound."""
    with reading() as session:
        return _present(session.scalars(_listed().where(Listing.id == listing_id)).one_or_none())


def list_listings(request: PageRequest) -> Page[Listing]:
    """Those of every site, newest first."""
    listed = _listed()
    page = listed.order_by(Listing.created_at.desc(), Listing.id.desc())
    with reading() as session:
        rows = session.scalars(page.limit(request.limit + 1).offset(request.offset)).all()
        total = list_totals.total(session, listed.with_only_columns(Listing.id), key=("listings",))
    return Page.cut(rows, limit=request.limit, total=total)


def _listed() -> Select[Listing]:
    """What sites let that are not suspended."""
    of_active = select(Listing).join(Tenant, Tenant.id == Listing.tenant_id).where(Tenant.is_active)
    return of_active.where(Listing.withdrawn_at.is_(None))


def create_listing(site: Principal, request: ListingRequest) -> Listing:
    """Raises InvalidAmount, UnsupportedCurrency."""
    listing_id, now = ids.uuid7(), clock.now()

    def work(session: Session) -> Listing:
        currency = request.currency or session.get_one(Tenant, site.tenant_id).currency
        listing = Listing(id=listing_id, tenant_id=site.tenant_id, created_at=now)
        _fill(listing, request, currency, now)
        session.add(listing)
        _record(session, EventType.LISTING_CREATED, listing, now=now, actor=site)
        return listing

    return transaction(work)


def change_listing(site: Principal, listing_id: uuid.UUID, changes: Mapping[str, Any]) -> Listing:
    """changes: fields of a ListingRequest. Raises ListingNotFound, InvalidAmount, UnsupportedCurrency."""
    now = clock.now()

    def work(session: Session) -> Listing:
        listing = _own(session, site, listing_id)
        request = replace(ListingRequest.of(listing), **changes)
        _fill(listing, request, request.currency or listing.currency, now)
        _record(session, EventType.LISTING_CHANGED, listing, now=now, actor=site)
        return listing

    return transaction(work)


def withdraw_listing(site: Principal, listing_id: uuid.UUID) -> None:
    """Its bookings stay. Raises ListingNotFound."""
    now = clock.now()

    def work(session: Session) -> None:
        listing = _own(session, site, listing_id)
        listing.withdrawn_at = listing.updated_at = now
        _record(session, EventType.LISTING_WITHDRAWN, listing, now=now, actor=site)

    transaction(work)


def _fill(listing: Listing, request: ListingRequest, currency: str, now: datetime) -> None:
    price = Money.parse(request.price_per_night, currency)
    if price.amount_minor > MAX_PRICE_MINOR:
        raise InvalidAmount("The price is out of range.", field="price_per_night")
    listing.title, listing.location = request.title, request.location
    listing.description, listing.max_guests = request.description, request.max_guests
    listing.price_per_night, listing.currency = price.amount_minor, price.currency
    listing.updated_at = now


def _own(session: Session, site: Principal, listing_id: uuid.UUID) -> Listing:
    """The site's listing, locked. Raises ListingNotFound: another site's looks the same."""
    mine = select(Listing).where(Listing.id == listing_id, Listing.tenant_id == site.tenant_id)
    return _present(session.scalars(mine.with_for_update(key_share=True)).one_or_none())


def _present(listing: Listing | None) -> Listing:
    if listing is None or listing.withdrawn_at is not None:
        raise ListingNotFound
    return listing


def _record(
    session: Session, event_type: EventType, listing: Listing, *, now: datetime, actor: Principal
) -> None:
    outbox.record(
        session,
        event_type,
        object_id=str(listing.id),
        data={"price_minor": listing.price_per_night, "currency": listing.currency},
        now=now,
        actor=actor,
        tenant_id=listing.tenant_id,
        is_public=False,
    )

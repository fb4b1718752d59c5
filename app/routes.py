"""The table of routes: every blueprint, where it is mounted, which API it serves, and who may call it.

A route that is in no row does not exist; `PUBLIC` is written down, never implied (tests/architecture/test_guards.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from flask import Flask

from app.api.bookings import bookings, listings
from app.api.bookings import errors as booking_errors
from app.api.bookings import payments as booking_payments
from app.api.bookings.schemas.errors import BookingError
from app.api.gateway import admin, payment_list, payments, users, webhook_events, webhooks
from app.api.gateway import errors as gateway_errors
from app.api.gateway.schemas.errors import GatewayError, MissingKeyError
from app.api.processing import errors as processing_errors
from app.api.processing import headers as processing_headers
from app.api.processing import info as processing_info
from app.api.processing import oauth, oauth_metadata, test_data
from app.api.processing import payments as processing_payments
from app.api.processing import webhooks as merchant_webhooks
from app.api.processing.schemas.errors import ProcessingError
from app.api.system import health
from app.api.tenant import api_keys, customers, invitations, members, oauth_clients, withdrawals
from app.api.tenant import errors as tenant_errors
from app.api.tenant import orders as tenant_orders
from app.api.tenant import requests as tenant_requests
from app.api.tenant import wallet as tenant_wallet
from app.api.tenant.schemas.errors import TenantError
from app.api.wallet import auth, kyc, sessions, wallets
from app.api.wallet import errors as wallet_errors
from app.api.wallet import payments as wallet_payments
from app.api.wallet.schemas.errors import WalletError
from app.http import edge, errors, uploads
from app.http.converters import CONVERTERS
from app.http.guards import (
    KNOWN_MERCHANT,
    KNOWN_PROCESSING,
    MERCHANT,
    MERCHANT_OR_USER,
    PROCESSING,
    PUBLIC,
    SITE,
    TENANT,
    USER_SESSION,
    USER_TOKEN,
)
from app.http.openapi import API_CONFIG, ErrorBodies
from app.http.responses import OrjsonProvider
from app.http.surfaces import Surface
from app.http.table import Policy, Row, mount
from app.models.member import TenantScope
from app.models.tenant import Permission
from app.models.user import Scope
from app.rate_limits import Limit
from app.version import VERSION
from app.web import assets, consent, docs, mailbox, payment_return
from app.web import bookings as booking_pages

V1: Final = ("/api/v1",)
BOTH: Final = ("/api/v1", "/v1")

MERCHANT_OR_OPERATOR: Final = Policy(
    MERCHANT_OR_USER, scope=Scope.ADMIN, merchant_limit=Limit.MERCHANT, permission=Permission.PAYMENTS_READ
)
"""For reading a merchant's payments. Users need the scope."""

TABLE: Final[tuple[Row, ...]] = (
    Row(auth.blueprint, BOTH, Surface.WALLET, Policy(PUBLIC, Limit.AUTH), {"logout": Policy(USER_SESSION)}),
    Row(sessions.blueprint, BOTH, Surface.WALLET, Policy(USER_SESSION)),
    Row(wallets.blueprint, V1, Surface.WALLET, Policy(USER_SESSION)),
    Row(kyc.blueprint, V1, Surface.WALLET, Policy(USER_SESSION)),
    # The paying statement checks the session itself (app/services/wallets/sql/wallet_pay.sql), so the guard need not.
    Row(
        wallet_payments.blueprint,
        V1,
        Surface.WALLET,
        Policy(USER_SESSION),
        {
            "create_payment": Policy(USER_TOKEN, Limit.PAYMENTS),
            "create_batch": Policy(USER_TOKEN, Limit.PAYMENTS),
        },
    ),
    Row(
        payment_list.blueprint,
        V1,
        Surface.GATEWAY,
        Policy(MERCHANT_OR_USER, merchant_limit=Limit.MERCHANT, permission=Permission.PAYMENTS_READ),
    ),
    # The statement that stores a payment checks the key itself (app/services/payments/create.py), so the guard need not.
    Row(
        payments.blueprint,
        V1,
        Surface.GATEWAY,
        Policy(MERCHANT, Limit.MERCHANT, permission=Permission.PAYMENTS_READ),
        {
            "initialize_payment": Policy(
                KNOWN_MERCHANT, Limit.MERCHANT, permission=Permission.PAYMENTS_WRITE
            ),
            "cancel_payment": Policy(MERCHANT, Limit.MERCHANT, permission=Permission.PAYMENTS_WRITE),
            "refund_payment": Policy(MERCHANT, Limit.MERCHANT, permission=Permission.REFUNDS_WRITE),
            "get_payment": MERCHANT_OR_OPERATOR,
            "list_refunds": MERCHANT_OR_OPERATOR,
            "list_disputes": MERCHANT_OR_OPERATOR,
        },
    ),
    Row(
        withdrawals.blueprint,
        BOTH,
        Surface.TENANT,
        Policy(TENANT, tenant_scopes=(TenantScope.FINANCE_VIEW,)),
        {
            "initiate_withdrawal": Policy(TENANT, tenant_scopes=(TenantScope.FINANCE_WITHDRAW_INITIATE,)),
            "approve_withdrawal": Policy(TENANT, tenant_scopes=(TenantScope.FINANCE_WITHDRAW_APPROVE,)),
            "cancel_withdrawal": Policy(
                TENANT,
                tenant_scopes=(TenantScope.FINANCE_WITHDRAW_INITIATE, TenantScope.FINANCE_WITHDRAW_APPROVE),
            ),
            "choose_payout_method": Policy(TENANT, tenant_scopes=(TenantScope.SETTINGS_MANAGE,)),
            "confirm_destination": Policy(TENANT, tenant_scopes=(TenantScope.FINANCE_WITHDRAW_APPROVE,)),
        },
    ),
    Row(
        customers.blueprint,
        BOTH,
        Surface.TENANT,
        Policy(TENANT, Limit.MERCHANT, tenant_scopes=(TenantScope.CONVERSATIONS_VIEW,)),
        {"create_customer": Policy(TENANT, Limit.MERCHANT, tenant_scopes=(TenantScope.ORDERS_MANAGE,))},
    ),
    # No limit: Daraja reports a result once, so a callback that is refused is lost.
    Row(webhooks.blueprint, V1, Surface.GATEWAY, Policy(PUBLIC, None), takes_any_query=True),
    Row(webhook_events.blueprint, V1, Surface.GATEWAY, Policy(USER_SESSION, scope=Scope.ADMIN)),
    Row(admin.blueprint, V1, Surface.GATEWAY, Policy(USER_SESSION, scope=Scope.ADMIN)),
    Row(users.blueprint, V1, Surface.GATEWAY, Policy(USER_SESSION, scope=Scope.ADMIN)),
    Row(
        tenant_orders.blueprint,
        BOTH,
        Surface.TENANT,
        Policy(TENANT, Limit.MERCHANT, tenant_scopes=(TenantScope.ORDERS_VIEW,)),
        {
            "create_order": Policy(TENANT, Limit.MERCHANT, tenant_scopes=(TenantScope.ORDERS_MANAGE,)),
            "cancel_order": Policy(TENANT, Limit.MERCHANT, tenant_scopes=(TenantScope.ORDERS_MANAGE,)),
            "check_out": Policy(
                TENANT,
                Limit.MERCHANT,
                tenant_scopes=(TenantScope.ORDERS_MANAGE, TenantScope.ORDERS_COLLECT),
            ),
        },
    ),
    Row(
        tenant_wallet.blueprint,
        BOTH,
        Surface.TENANT,
        Policy(TENANT, Limit.MERCHANT, tenant_scopes=(TenantScope.FINANCE_VIEW,)),
    ),
    Row(members.blueprint, BOTH, Surface.TENANT, Policy(TENANT, tenant_scopes=(TenantScope.PEOPLE_MANAGE,))),
    Row(
        invitations.blueprint,
        BOTH,
        Surface.TENANT,
        Policy(TENANT, tenant_scopes=(TenantScope.PEOPLE_MANAGE,)),
        {"accept_invitation": Policy(USER_SESSION)},
    ),
    Row(
        api_keys.blueprint,
        BOTH,
        Surface.TENANT,
        Policy(TENANT, tenant_scopes=(TenantScope.DEVELOPERS_MANAGE,)),
        {"list_keys": Policy(TENANT, tenant_scopes=(TenantScope.DEVELOPERS_VIEW,))},
    ),
    Row(
        processing_payments.blueprint,
        ("/v1",),
        Surface.PROCESSING,
        Policy(PROCESSING, Limit.PROCESSING, permission=Permission.PAYMENTS_READ),
        {
            "create": Policy(KNOWN_PROCESSING, Limit.PROCESSING, permission=Permission.PAYMENTS_WRITE),
            "cancel": Policy(PROCESSING, Limit.PROCESSING, permission=Permission.PAYMENTS_WRITE),
            "refund": Policy(PROCESSING, Limit.PROCESSING, permission=Permission.REFUNDS_WRITE),
        },
    ),
    Row(
        test_data.blueprint,
        ("/v1",),
        Surface.PROCESSING,
        Policy(PROCESSING, permission=Permission.API_ADMIN),
    ),
    Row(
        tenant_requests.blueprint,
        BOTH,
        Surface.TENANT,
        Policy(TENANT, tenant_scopes=(TenantScope.DEVELOPERS_VIEW,)),
    ),
    Row(
        oauth_clients.blueprint,
        BOTH,
        Surface.TENANT,
        Policy(TENANT, tenant_scopes=(TenantScope.DEVELOPERS_MANAGE,)),
        dict.fromkeys(
            ("list_clients", "list_grants"), Policy(TENANT, tenant_scopes=(TenantScope.DEVELOPERS_VIEW,))
        ),
    ),
    Row(
        merchant_webhooks.blueprint,
        ("/v1",),
        Surface.PROCESSING,
        Policy(PROCESSING, Limit.MERCHANT, permission=Permission.WEBHOOKS_MANAGE),
        {
            "simulate": Policy(PROCESSING, Limit.MERCHANT, permission=Permission.API_ADMIN),
            "list_events": Policy(PROCESSING, Limit.MERCHANT, permission=Permission.PAYMENTS_READ),
        },
    ),
    # No limits here: they would make a health check depend on Redis.
    Row(processing_info.blueprint, ("/v1",), Surface.PROCESSING, Policy(PUBLIC, None)),
    # RFC 6749 has unknown parameters ignored.
    Row(oauth.authorize_blueprint, ("/v1",), Surface.PROCESSING, Policy(PUBLIC), takes_any_query=True),
    Row(oauth.blueprint, ("/v1",), Surface.PROCESSING, Policy(PUBLIC)),
    Row(
        listings.blueprint,
        ("/api",),
        Surface.BOOKINGS,
        Policy(SITE, Limit.MERCHANT, permission=Permission.PAYMENTS_WRITE),
        dict.fromkeys(("list_listings", "get_listing"), Policy(PUBLIC, Limit.BOOKINGS)),
    ),
    # Whoever has a booking's id, or the reference of its payment, may do what these do.
    Row(
        bookings.blueprint,
        ("/api",),
        Surface.BOOKINGS,
        Policy(PUBLIC, Limit.BOOKINGS),
        {"list_bookings": Policy(SITE, Limit.MERCHANT, permission=Permission.PAYMENTS_READ)},
    ),
    # Providers add parameters of their own to the address that a traveller returns to.
    Row(
        booking_payments.blueprint,
        ("/api",),
        Surface.BOOKINGS,
        Policy(PUBLIC, Limit.BOOKINGS),
        takes_any_query=True,
    ),
    Row(oauth_metadata.blueprint, ("",), Surface.SYSTEM, Policy(PUBLIC, None)),
    Row(health.health, ("", "/api/v1"), Surface.SYSTEM, Policy(PUBLIC, None)),
    Row(health.root, ("",), Surface.SYSTEM, Policy(PUBLIC, None), is_documented=False),
    Row(
        docs.blueprint,
        ("",),
        Surface.SYSTEM,
        Policy(PUBLIC, None),
        is_documented=False,
        takes_any_query=True,
    ),
    Row(
        assets.blueprint,
        ("",),
        Surface.SYSTEM,
        Policy(PUBLIC, None),
        is_documented=False,
        takes_any_query=True,
    ),
    Row(
        consent.blueprint,
        ("",),
        Surface.SYSTEM,
        Policy(PUBLIC),
        {"sign_in": Policy(PUBLIC, Limit.AUTH)},
        is_documented=False,
        takes_any_query=True,
    ),
    # No limit: mobile carriers put many customers behind one address.
    Row(
        payment_return.blueprint,
        ("",),
        Surface.SYSTEM,
        Policy(PUBLIC, None),
        is_documented=False,
        takes_any_query=True,
    ),
    # Those who wait read it every few seconds, many of them behind one address.
    Row(
        booking_pages.blueprint,
        ("",),
        Surface.SYSTEM,
        Policy(PUBLIC, Limit.BOOKINGS),
        dict.fromkeys(("show", "get_state"), Policy(PUBLIC, None)),
        is_documented=False,
        takes_any_query=True,
    ),
    # In demo mode alone: elsewhere its routes answer 404.
    Row(
        mailbox.blueprint,
        ("",),
        Surface.SYSTEM,
        Policy(PUBLIC, None),
        is_documented=False,
        takes_any_query=True,
    ),
)

ERROR_RENDERERS: Final[Mapping[Surface, errors.Renderer]] = MappingProxyType(
    {
        Surface.WALLET: wallet_errors.render,
        Surface.GATEWAY: gateway_errors.render,
        Surface.TENANT: tenant_errors.render,
        Surface.PROCESSING: processing_errors.render,
        Surface.BOOKINGS: booking_errors.render,
        Surface.SYSTEM: wallet_errors.render,
    }
)
"""The shape of each surface's error bodies."""

ERROR_BODIES: Final[Mapping[Surface, ErrorBodies]] = MappingProxyType(
    {
        Surface.WALLET: ErrorBodies(WalletError, has_codes=True),
        Surface.GATEWAY: ErrorBodies(GatewayError, missing_key=MissingKeyError),
        Surface.TENANT: ErrorBodies(TenantError),
        Surface.PROCESSING: ErrorBodies(ProcessingError),
        Surface.BOOKINGS: ErrorBodies(BookingError),
        Surface.SYSTEM: ErrorBodies(WalletError, has_codes=True),
    }
)
"""The same for the OpenAPI document, of every surface that has routes."""


def init(app: Flask) -> None:
    """Mount the table and bind what is done for every request."""
    app.json = OrjsonProvider(app)
    app.request_class = uploads.Request
    app.url_map.converters.update(CONVERTERS)
    app.url_map.merge_slashes = False
    app.config.update(API_CONFIG, API_VERSION=VERSION)
    mount(app, TABLE)
    app.extensions["error_bodies"] = ERROR_BODIES
    errors.init(app, ERROR_RENDERERS)
    edge.init(app)
    assets.init(app)
    app.after_request(processing_headers.add)

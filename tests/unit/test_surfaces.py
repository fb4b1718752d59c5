"""Which API a path belongs to, row by row."""

from __future__ import annotations

import pytest

from app.http.surfaces import Surface, surface_of

W, G, T, P, B, S = (
    Surface.WALLET,
    Surface.GATEWAY,
    Surface.TENANT,
    Surface.PROCESSING,
    Surface.BOOKINGS,
    Surface.SYSTEM,
)
UUID = "7b0b9c0e-5b1f-4d35-9a53-0d6f2f7d1c11"

ROWS = [
    ("POST", "/api/v1/auth/register", W),
    ("POST", "/api/v1/auth/login", W),
    ("GET", "/api/v1/auth/login", W),
    ("POST", "/v1/auth/login", W),
    ("DELETE", "/v1/auth/nonsense", W),
    ("GET", "/api/v1/accounts", W),
    ("GET", "/api/v1/accounts/", W),
    ("GET", "/api/v1/accounts/acc_1", W),
    ("POST", "/api/v1/accounts/wallets", W),
    ("POST", "/api/v1/accounts/acc_1/deposit", W),
    ("POST", "/api/v1/kyc/submit", W),
    ("GET", "/api/v1/kyc/status", W),
    ("POST", "/api/v1/payments", W),
    ("POST", "/api/v1/payments/", W),
    ("POST", "/api/v1/payments/batch", W),
    ("GET", "/api/v1/payments/batch", W),
    ("GET", "/api/v1/payments/pmt_abc123", W),
    ("DELETE", "/api/v1/payments/pmt_abc123", W),
    ("GET", "/api/v1/payments", G),
    ("PUT", "/api/v1/payments", G),
    ("POST", "/api/v1/payments/initialize", G),
    ("GET", f"/api/v1/payments/{UUID}", G),
    ("POST", f"/api/v1/payments/{UUID}/refund", G),
    ("GET", "/api/v1/payments/providers", G),
    ("POST", "/api/v1/webhooks/mpesa", G),
    ("GET", "/api/v1/accountsx", G),
    ("GET", "/api/v1/walletx", G),
    ("GET", "/api/v1/nonsense", G),
    ("GET", "/api/v1", G),
    ("GET", "/api/v1/customers/1", T),
    ("GET", "/v1/customers/1", T),
    ("POST", "/api/v1/wallet/withdrawals", T),
    ("POST", "/v1/wallet/withdrawals/x/approve", T),
    ("POST", "/api/v1/orders", T),
    ("GET", "/v1/orders/1", T),
    ("GET", "/v1/developers/oauth-clients", T),
    ("POST", "/v1/payments", P),
    ("GET", "/v1/payments/pay_abc123", P),
    ("GET", "/v1/payments/pmt_abc123", P),
    ("POST", "/v1/oauth/token", P),
    ("GET", "/v1/accounts", P),
    ("GET", "/v1", P),
    ("GET", "/api/listings/", B),
    ("POST", "/api/bookings", B),
    ("POST", "/api/payments/initiate/", B),
    ("GET", "/api/v2/x", B),
    ("GET", "/api", B),
    ("GET", "/", S),
    ("GET", "/health/ready", S),
    ("GET", "/apiary", S),
    ("GET", "/v10", S),
]


@pytest.mark.parametrize(("method", "path", "surface"), ROWS)
def test_a_path_belongs_to(method: str, path: str, surface: Surface) -> None:
    assert surface_of(path, method) is surface

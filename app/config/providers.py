"""Settings of provider accounts and of the simulators. Names are those of the Gateway API's document where it has them.

A provider account of the platform is configured by its settings here; a tenant's own by what was stored for it
(services/provider_access/accounts.py). The defaults are the simulators' credentials: they open nothing anywhere else,
and production has none.
"""

from __future__ import annotations

from typing import Final

from app.config.parsing import Setting, flag, one_of, positive_seconds, seconds, web_address

_PASSKEY: Final = "bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919"
"""Published by Safaricom for its sandbox's shortcode."""

ENVIRONMENT: Final = one_of("sandbox", "live")

PROVIDER_SETTINGS: Final = (
    Setting(
        "PUBLIC_URL",
        "where providers and customers reach this gateway",
        "http://127.0.0.1:5000",
        "",
        parse=web_address,
    ),
    Setting("PAYMENT_RETURN_URL", "where customers go after a payment page; empty: a page of the gateway"),
    Setting(
        "PROVIDER_TIMEOUT_S", "longest wait for a provider's answer, seconds", "20", parse=positive_seconds
    ),
    Setting(
        "PROVIDER_CALLS_AT_ONCE",
        "calls to one provider at once in a process; 0: a quarter of WEB_THREADS",
        "0",
        parse=int,
    ),
    Setting(
        "ALLOW_TEST_PROVIDERS",
        "in production, too, take payments through sandboxes and the mock provider",
        "false",
        parse=flag,
    ),
    Setting("MPESA_ENV", "sandbox or live: which Daraja", "sandbox", "live", parse=ENVIRONMENT),
    Setting(
        "MPESA_BASE_URL", "where Daraja is; empty: by MPESA_ENV, in demo the simulator", parse=web_address
    ),
    Setting("MPESA_CONSUMER_KEY", "of the Daraja app", "sandbox-consumer-key", ""),
    Setting("MPESA_CONSUMER_SECRET", "of the Daraja app", "sandbox-consumer-secret", ""),
    Setting("MPESA_SHORTCODE", "paybill, or a till's store number", "174379", ""),
    Setting("MPESA_PASSKEY", "of the shortcode", _PASSKEY, ""),
    Setting("MPESA_TILL", "the till number, when payments are to a till"),
    Setting("MPESA_CALLBACK_URL", "base of callback URLs; empty: PUBLIC_URL/api/v1/webhooks/mpesa"),
    Setting("MPESA_CALLBACK_IPS", "addresses callbacks may come from, comma separated; empty: any"),
    Setting("MPESA_INITIATOR", "API operator's name: reversals, payouts", "testapi", ""),
    Setting("MPESA_INITIATOR_PASSWORD", "its password, encrypted with MPESA_CERTIFICATE"),
    Setting("MPESA_CERTIFICATE", "Daraja's certificate: a path, or PEM text"),
    Setting(
        "MPESA_SECURITY_CREDENTIAL",
        "a ready security credential, instead of the two above",
        "c2FuZGJveC1zZWN1cml0eS1jcmVkZW50aWFs",
        "",
    ),
    Setting("MPESA_B2C_SHORTCODE", "payouts to phones are from here", "600984", ""),
    Setting("MPESA_B2B_SHORTCODE", "payouts to tills are from here", "600984", ""),
    Setting("MPESA_B2C_COMMAND", "BusinessPayment, SalaryPayment or PromotionPayment", "BusinessPayment"),
    Setting("MPESA_TILL_RECEIVER_TYPE", "identifier type of a till: the portal says 4, clients send 2", "4"),
    Setting("MPESA_MAX_AMOUNT", "largest payment, whole KES", "250000"),
    Setting("MPESA_PULL", "ask Daraja's pull API about lost pushes to a paybill", "false"),
    Setting("MPESA_PULL_METHOD", "POST or GET: documents and clients differ", "POST"),
    Setting("STRIPE_ENV", "sandbox or live, as the key is", "sandbox", "live", parse=ENVIRONMENT),
    Setting(
        "STRIPE_BASE_URL", "where Stripe is; empty: Stripe itself, in demo the simulator", parse=web_address
    ),
    Setting(
        "STRIPE_API_KEY",
        "secret or restricted key: sk_test_, rk_test_ or sk_live_, rk_live_",
        "sk_test_sandbox",
        "",
    ),
    Setting("STRIPE_WEBHOOK_SECRET", "of the webhook endpoint, whsec_", "whsec_sandbox", ""),
    Setting(
        "STRIPE_FLOW", "hosted: Stripe's page; intent: your page confirms with the client secret", "hosted"
    ),
    Setting("STRIPE_API_VERSION", "API version; empty: the library's"),
    Setting("CHAPA_ENV", "sandbox or live, as the key is", "sandbox", "live", parse=ENVIRONMENT),
    Setting(
        "CHAPA_BASE_URL", "where Chapa is; empty: Chapa itself, in demo the simulator", parse=web_address
    ),
    Setting("CHAPA_SECRET_KEY", "CHASECK_TEST- or CHASECK-", "CHASECK_TEST-sandbox", ""),
    Setting("CHAPA_WEBHOOK_SECRET", "the secret hash of the dashboard", "chapa-sandbox-hook", ""),
    Setting("CHAPA_APPROVAL_SECRET", "of transfer approvals", "chapa-sandbox-approval", ""),
    Setting("CHAPA_REFUND_BY", "reference or tx_ref: what a refund names", "reference"),
    Setting("CHAPA_TITLE", "title of the payment page, at most 16 characters"),
    Setting("PAYSTACK_ENV", "sandbox or live, as the key is", "sandbox", "live", parse=ENVIRONMENT),
    Setting(
        "PAYSTACK_BASE_URL",
        "where Paystack is; empty: Paystack itself, in demo the simulator",
        parse=web_address,
    ),
    Setting(
        "PAYSTACK_SECRET_KEY", "sk_test_ or sk_live_; signs webhooks, too", "sk_test_sandbox_paystack", ""
    ),
    Setting("PAYSTACK_CHANNELS", "channels of the payment page, comma separated; empty: all"),
    Setting("PAYSTACK_FALLBACK_EMAIL", "sent when a customer has no e-mail; empty: an e-mail is required"),
    Setting(
        "PAYSTACK_REFUND_FILTER",
        "query parameter that narrows Paystack's refund list to a transaction; empty: none",
    ),
    Setting("PESAPAL_ENV", "sandbox or live: which Pesapal", "sandbox", "live", parse=ENVIRONMENT),
    Setting(
        "PESAPAL_BASE_URL",
        "where Pesapal is; empty: by PESAPAL_ENV, in demo the simulator",
        parse=web_address,
    ),
    Setting("PESAPAL_CONSUMER_KEY", "of the merchant", "qkio1BGGYAXTu2JOfm7XSXNruoZsrqEW", ""),
    Setting("PESAPAL_CONSUMER_SECRET", "of the merchant", "osGQ364R49cXKeOYSpaOnT++rHs=", ""),
    Setting("PESAPAL_IPN_ID", "of the registered IPN URL; empty: the gateway registers its own"),
    Setting("PESAPAL_IPN_METHOD", "POST or GET: how notifications come", "POST"),
    Setting("PESAPAL_REFUND_USERNAME", "who asks for refunds, as the dashboard shows it", "gateway"),
    Setting(
        "CPAY_ENV", "sandbox or live; CPay is a mock and moves no real money", "sandbox", parse=ENVIRONMENT
    ),
    Setting("CPAY_BASE_URL", "not used: CPay is part of the gateway", parse=web_address),
    Setting("CPAY_API_KEY", "switches CPay on", "cpay-sandbox-key", ""),
    Setting("CPAY_API_SECRET", "signs CPay's callbacks", "cpay-sandbox-secret", ""),
)

SANDBOX_SETTINGS: Final = (
    Setting("SANDBOX_BIND", "address of the simulators (demo and test)", "127.0.0.1:4010"),
    Setting("SANDBOX_URL", "where the gateway finds the simulators", "http://127.0.0.1:4010"),
    Setting(
        "SANDBOX_WEBHOOK_BASE", "where the simulators send callbacks", "http://127.0.0.1:5000/api/v1/webhooks"
    ),
    Setting(
        "SANDBOX_AUTOPAY_S", "seconds until the simulated customer pays; off: you click", "1", parse=seconds
    ),
)
"""In production the simulators do not start, whatever these say."""

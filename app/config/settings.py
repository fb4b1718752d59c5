"""Every setting. `.env.example` lists them; a test keeps the two equal."""

from __future__ import annotations

from typing import Final

from app.config.mail import MAIL_SETTINGS
from app.config.providers import PROVIDER_SETTINGS
from app.config.sandbox import DEMO_HOSTS, LOG_LEVEL, SANDBOX_SETTINGS, VAR_DIR
from app.config.setting import Setting
from app.config.tables import routing_costs, usd_rates
from app.parsing import (
    bind_address,
    bind_addresses,
    flag,
    one_of,
    origins,
    page_url,
    rate,
    seconds,
    server_url,
    whole,
)

_USD_RATES = (
    '{"EUR":"1.08","GBP":"1.27","KES":"0.0077","ETB":"0.0080","NGN":"0.00065","GHS":"0.065","ZAR":"0.055",'
    '"UGX":"0.00027","TZS":"0.00039","RWF":"0.00072","XOF":"0.00165","CAD":"0.73","AUD":"0.66","INR":"0.0119",'
    '"JPY":"0.0066","KWD":"3.25"}'
)


DAY_S: Final = 86_400
MAX_WAIT_S: Final = 30 * DAY_S
MIB: Final = 1_048_576

_DATABASE: Final = server_url(
    "postgresql",
    "postgres",
    "postgresql+psycopg2",
    example="postgresql://malipo_app:password@host:5432/database",
)
_REDIS: Final = server_url("redis", "rediss", "unix", example="redis://:password@host:6379/0")


SETTINGS: Final = (
    Setting("GATEWAY_ENV", "demo, test or production; without it nothing starts"),
    Setting("FLASK_APP", "where the flask command finds the application", "wsgi.py"),
    Setting("FLASK_ENV", "kept for compatibility; GATEWAY_ENV decides", "development", "production"),
    Setting("SECRET_KEY", "Flask's own signatures; at least 32 random characters", secret=True),
    Setting("JWT_SECRET_KEY", "signs access and refresh tokens; at least 32 random characters", secret=True),
    Setting("ENCRYPTION_KEY", "Fernet keys for data at rest, newest first, comma separated", secret=True),
    Setting("AUDIT_KEY", "chains the event log; keep a copy outside the database's backups", secret=True),
    Setting("DATABASE_URL", "PostgreSQL 18, the application's own role (never a superuser)", parse=_DATABASE),
    Setting(
        "DATABASE_OWNER_URL",
        "the role that owns the tables: migrations and demo data (default DATABASE_URL)",
        parse=_DATABASE,
    ),
    Setting(
        "REDIS_URL",
        "rate limits, Socket.IO between processes, Celery's broker",
        "redis://localhost:6379/0",
        parse=_REDIS,
    ),
    VAR_DIR,
    Setting("BIND", "gunicorn's addresses, comma separated", "127.0.0.1:5000", parse=bind_addresses),
    Setting("WEB_WORKERS", "gunicorn worker processes", "1", "2", parse=whole(1, 256)),
    Setting("WEB_THREADS", "threads in each worker", "100", "16", parse=whole(1, 1000)),
    Setting(
        "TRUSTED_PROXIES", "reverse proxies in front whose X-Forwarded-For counts", "0", parse=whole(0, 10)
    ),
    Setting(
        "REALTIME",
        "embedded: app serves Socket.IO too; external: realtime does",
        "embedded",
        "external",
        parse=one_of("embedded", "external"),
    ),
    Setting("REALTIME_BIND", "address of the realtime process", "127.0.0.1:5001", parse=bind_address),
    Setting(
        "REALTIME_MAX_CLIENTS", "Socket.IO clients at once in an app process", "64", parse=whole(1, 10_000)
    ),
    Setting(
        "REALTIME_CLIENTS_PER_ADDRESS",
        "Socket.IO clients at once from one address (IPv6: /64), in each process",
        "1000",
        "50",
        parse=whole(1, 10_000),
    ),
    Setting(
        "CORS_ORIGINS", "browser origins allowed to call REST and Socket.IO, comma separated", parse=origins
    ),
    Setting("DB_POOL_SIZE", "database connections kept by a process", "20", "16", parse=whole(1, 1000)),
    Setting("DB_POOL_TIMEOUT_S", "seconds a request waits for one", "10", parse=whole(1, 60)),
    Setting("DB_LOCK_TIMEOUT_MS", "longest wait for a lock; then 409", "2000", parse=whole(1, 60_000)),
    Setting("DB_STATEMENT_TIMEOUT_MS", "longest statement", "30000", parse=whole(1, 60_000)),
    Setting(
        "ACCESS_TOKEN_TTL_S", "life of an access token, seconds", "3600", "900", parse=whole(1, 30 * DAY_S)
    ),
    Setting(
        "REFRESH_TOKEN_TTL_S", "life of a refresh token, seconds", "2592000", parse=whole(1, 366 * DAY_S)
    ),
    Setting(
        "SESSION_TTL_S",
        "life of a session, however often refreshed, seconds",
        "2592000",
        parse=whole(1, 366 * DAY_S),
    ),
    Setting(
        "RATE_LIMIT_AUTH", "register, login, refresh: per address", "6000/minute", "5/minute", parse=rate
    ),
    Setting("RATE_LIMIT_PAYMENTS", "payments and batches: per user", "60000/minute", "30/minute", parse=rate),
    Setting(
        "RATE_LIMIT_BATCH_ITEMS",
        "payments within batches: per user",
        "600000/minute",
        "2000/minute",
        parse=rate,
    ),
    Setting("RATE_LIMIT_DEFAULT", "everything else: per user", "60000/minute", "100/minute", parse=rate),
    Setting(
        "RATE_LIMIT_MERCHANT", "merchants' backends: per tenant", "60000/minute", "1000/minute", parse=rate
    ),
    Setting(
        "RATE_LIMIT_PROCESSING",
        "payments of the Processing API: per API key that has no limit of its own",
        "100/minute",
        parse=rate,
    ),
    Setting(
        "RATE_LIMIT_BOOKINGS",
        "what travellers send the Booking API: per address",
        "60000/minute",
        "300/minute",
        parse=rate,
    ),
    Setting(
        "RATE_LIMIT_WRONG_KEYS",
        "wrong API keys: per address, in each process",
        "6000/minute",
        "20/minute",
        parse=rate,
    ),
    Setting(
        "BUSINESS_REGISTRATION",
        "whoever registers may make a tenant of their own; false: only the operator does",
        "true",
        parse=flag,
    ),
    Setting(
        "PAYOUT_DESTINATION_COOLING_S",
        "so long a new payout destination needs a second person before it is used, seconds",
        "0",
        "86400",
        parse=whole(0, MAX_WAIT_S),
    ),
    Setting(
        "WITHDRAWAL_WAIT_S",
        "longest time an approval waits for the payout's result before it answers, seconds",
        "3",
        parse=whole(0, 20),
    ),
    Setting(
        "BOOKING_HOLD_S",
        "so long an unpaid booking keeps its nights, seconds; afterwards until another traveller wants them",
        "3600",
        parse=whole(60, MAX_WAIT_S),
    ),
    Setting(
        "BOOKING_PAGE_URL",
        "where travellers return after paying, with {booking_id} in it; empty: the gateway's own page",
        parse=page_url,
    ),
    Setting("REQUEST_LOG_DAYS", "days that merchants' requests are kept", "30", parse=whole(1, 366)),
    Setting("MAX_BODY_BYTES", "largest JSON body, bytes", "1048576", parse=whole(1024, 16 * MIB)),
    Setting("MAX_DOCUMENT_BYTES", "largest KYC document, bytes", "5242880", parse=whole(1024, 50 * MIB)),
    Setting(
        "USD_RATES",
        "US dollars for one unit of a currency (JSON): wallet currencies, limits",
        _USD_RATES,
        parse=usd_rates,
    ),
    Setting(
        "ROUTING_COSTS", "JSON over the built-in costs of providers (provider auto)", parse=routing_costs
    ),
    Setting(
        "DIRECT_FUNDING",
        "wallets take deposits and withdrawals without a provider",
        "true",
        "false",
        parse=flag,
    ),
    Setting(
        "KYC_AUTO_VERIFY_S",
        "seconds until a KYC request verifies itself; empty: never",
        "2",
        "",
        parse=seconds(MAX_WAIT_S),
    ),
    DEMO_HOSTS,
    LOG_LEVEL,
    *MAIL_SETTINGS,
    *PROVIDER_SETTINGS,
    *SANDBOX_SETTINGS,
)


SECRETS: Final = tuple(setting.name for setting in SETTINGS if setting.secret)

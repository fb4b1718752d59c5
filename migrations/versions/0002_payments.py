"""Payments through providers: tenants, their keys and accounts, payments, attempts, refunds, callbacks, fees."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE users ADD COLUMN scopes text[] NOT NULL DEFAULT '{}';

CREATE TABLE tenants (
  id uuid PRIMARY KEY, name text NOT NULL, plan text NOT NULL CHECK (plan IN ('starter', 'growth', 'enterprise')),
  is_active boolean NOT NULL, created_at timestamptz NOT NULL);
CREATE TABLE api_keys (
  id uuid PRIMARY KEY, tenant_id uuid NOT NULL, prefix text NOT NULL UNIQUE, secret_hash bytea NOT NULL,
  name text NOT NULL, created_at timestamptz NOT NULL, revoked_at timestamptz);
CREATE INDEX ix_api_keys_tenant_id ON api_keys (tenant_id);
CREATE TABLE provider_accounts (
  id uuid PRIMARY KEY, tenant_id uuid NOT NULL, provider text NOT NULL,
  environment text NOT NULL CHECK (environment IN ('sandbox', 'live')), sealed bytea NOT NULL,
  callback_token text NOT NULL UNIQUE, is_active boolean NOT NULL, created_at timestamptz NOT NULL);
CREATE UNIQUE INDEX provider_accounts_in_use ON provider_accounts (tenant_id, provider) WHERE is_active;

CREATE TABLE payments (
  id uuid PRIMARY KEY, tenant_id uuid NOT NULL, idempotency_key text NOT NULL, provider text NOT NULL,
  payment_method text NOT NULL, return_url text, amount bigint NOT NULL CHECK (amount > 0), currency char(3) NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'processing', 'completed', 'partially_refunded', 'refunded',
    'reversed', 'failed', 'cancelled')),
  customer_id text, customer_phone text, customer_email text, customer_name text, metadata jsonb,
  provider_transaction_id text, provider_response jsonb, payment_url text, failure_code text, failure_reason text,
  fee bigint, refund_reserved bigint NOT NULL, refunded bigint NOT NULL, review text,
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, completed_at timestamptz,
  CHECK (refunded >= 0 AND refunded <= refund_reserved AND refund_reserved <= amount)) WITH (fillfactor = 70);
CREATE INDEX payments_tenant_id_id ON payments (tenant_id, id);
CREATE INDEX payments_tenant_id_status_id ON payments (tenant_id, status, id);
CREATE INDEX payments_tenant_id_customer_id_id ON payments (tenant_id, customer_id, id);
CREATE INDEX payments_review ON payments (id) WHERE review IS NOT NULL;

CREATE TABLE payment_attempts (
  id uuid PRIMARY KEY, payment_id uuid NOT NULL, number integer NOT NULL, provider text NOT NULL, account_id uuid,
  environment text NOT NULL, reference text NOT NULL UNIQUE, label text NOT NULL, callback_token text NOT NULL UNIQUE,
  state text NOT NULL CHECK (state IN ('created', 'sending', 'unknown', 'pending', 'succeeded', 'failed', 'cancelled',
    'late', 'reversed')),
  provider_reference text, receipt text, collected bigint, error_code text, error_message text,
  inquiries integer NOT NULL, sendings integer NOT NULL, sent_at timestamptz,
  created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, UNIQUE (payment_id, number)) WITH (fillfactor = 70);
-- One live asking for a payment's money, whatever the code says.
CREATE UNIQUE INDEX payment_attempts_live ON payment_attempts (payment_id)
  WHERE state IN ('created', 'sending', 'unknown', 'pending', 'succeeded');
-- One charge of a provider is one attempt's, whatever a callback says.
CREATE UNIQUE INDEX payment_attempts_provider_reference ON payment_attempts (provider, account_id, provider_reference)
  NULLS NOT DISTINCT WHERE provider_reference IS NOT NULL;
CREATE UNIQUE INDEX payment_attempts_receipt ON payment_attempts (provider, account_id, receipt)
  NULLS NOT DISTINCT WHERE receipt IS NOT NULL;
CREATE INDEX payment_attempts_label ON payment_attempts (provider, label);

CREATE TABLE refunds (
  id uuid PRIMARY KEY, payment_id uuid NOT NULL, attempt_id uuid NOT NULL, tenant_id uuid NOT NULL,
  amount bigint NOT NULL CHECK (amount > 0), currency char(3) NOT NULL, reason text, is_from_suspense boolean NOT NULL,
  reference text NOT NULL UNIQUE, callback_token text NOT NULL UNIQUE,
  state text NOT NULL CHECK (state IN ('created', 'sending', 'unknown', 'pending', 'completed', 'failed')),
  provider_reference text, error_code text, error_message text, refunded_before bigint NOT NULL,
  inquiries integer NOT NULL, sent_at timestamptz, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
  completed_at timestamptz);
CREATE INDEX refunds_payment_id ON refunds (payment_id);
CREATE INDEX refunds_provider_reference ON refunds (provider_reference);

CREATE TABLE provider_events (
  id uuid PRIMARY KEY, provider text NOT NULL, scope text NOT NULL, provider_event_id text NOT NULL,
  event_type text NOT NULL, kind text NOT NULL, is_verified boolean NOT NULL, reference text, provider_reference text,
  path_token text, account_id uuid, method text NOT NULL, query jsonb NOT NULL, headers jsonb NOT NULL,
  body bytea NOT NULL, state text NOT NULL CHECK (state IN ('received', 'processed', 'ignored', 'dead')), result text,
  payment_id uuid, repeats integer NOT NULL,
  confirmations integer NOT NULL, received_at timestamptz NOT NULL, processed_at timestamptz,
  UNIQUE (provider, scope, provider_event_id));
CREATE INDEX provider_events_state_id ON provider_events (state, id);

CREATE TABLE fee_rules (
  id uuid PRIMARY KEY, operation text NOT NULL CHECK (operation IN ('payment', 'withdrawal')), tenant_id uuid, plan text,
  provider text, method text, currency char(3), from_minor bigint NOT NULL, below_minor bigint,
  fixed_minor bigint NOT NULL, rate_ppm bigint NOT NULL, created_at timestamptz NOT NULL,
  CHECK (fixed_minor >= 0 AND rate_ppm >= 0 AND rate_ppm <= 1000000),
  CHECK (currency IS NOT NULL OR (fixed_minor = 0 AND from_minor = 0 AND below_minor IS NULL)));
"""

# What every installation starts with: the plans' fees.
FEES = """
INSERT INTO fee_rules (id, operation, plan, from_minor, fixed_minor, rate_ppm, created_at) VALUES
  ('0198a000-0000-7000-8000-000000000001', 'payment', 'starter', 0, 0, 0, '2026-01-01T00:00:00Z'),
  ('0198a000-0000-7000-8000-000000000002', 'payment', 'growth', 0, 0, 35000, '2026-01-01T00:00:00Z'),
  ('0198a000-0000-7000-8000-000000000003', 'payment', 'enterprise', 0, 0, 25000, '2026-01-01T00:00:00Z');
"""

RIGHTS = """
GRANT SELECT ON ALL TABLES IN SCHEMA public TO malipo_app;
GRANT INSERT, UPDATE ON tenants, api_keys, provider_accounts, payments, payment_attempts, refunds, provider_events,
  fee_rules TO malipo_app;
GRANT DELETE ON fee_rules, provider_events TO malipo_app;
"""


def upgrade() -> None:
    for script in (TABLES, FEES, RIGHTS):
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("Payments are not undone: restore a backup taken before this migration.")

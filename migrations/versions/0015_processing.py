"""Permissions of API keys, OAuth, webhooks to merchants, merchants' requests, disputes, and which API made a payment."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

KEYS = """
ALTER TABLE api_keys ADD COLUMN permissions text[], ADD COLUMN requests_per_minute integer
  CHECK (requests_per_minute > 0);
"""

# Payments from before were made by the Gateway API or are an order's.
PAYMENTS = """
ALTER TABLE payments ADD COLUMN api text NOT NULL DEFAULT 'gateway'
  CHECK (api IN ('gateway', 'tenant', 'processing', 'bookings'));
ALTER TABLE payments ALTER COLUMN api DROP DEFAULT;
UPDATE payments SET api = 'tenant' WHERE order_id IS NOT NULL;
CREATE INDEX payments_of_processing ON payments (tenant_id, id) WHERE api = 'processing';
ALTER TABLE tenants ADD COLUMN reset_at timestamptz;
"""

OAUTH = """
CREATE TABLE oauth_clients (
  id uuid PRIMARY KEY, tenant_id uuid NOT NULL, client_id text NOT NULL UNIQUE, secret_hash bytea, name text NOT NULL,
  redirect_uris text[] NOT NULL, grants text[] NOT NULL, permissions text[] NOT NULL, created_at timestamptz NOT NULL,
  created_by text NOT NULL, disabled_at timestamptz);
CREATE INDEX oauth_clients_tenant_id_id ON oauth_clients (tenant_id, id);
CREATE TABLE oauth_grants (
  id uuid PRIMARY KEY, client uuid NOT NULL, tenant_id uuid NOT NULL, user_id uuid, permissions text[] NOT NULL,
  code_hash bytea UNIQUE, redirect_uri text, challenge text, created_at timestamptz NOT NULL,
  code_expires_at timestamptz, code_used_at timestamptz, revoked_at timestamptz, revoked_because text);
CREATE INDEX oauth_grants_client ON oauth_grants (client, id);
CREATE INDEX oauth_grants_tenant_id_id ON oauth_grants (tenant_id, id);
CREATE TABLE oauth_tokens (
  id uuid PRIMARY KEY, grant_id uuid NOT NULL, kind text NOT NULL CHECK (kind IN ('access', 'refresh')),
  token_hash bytea NOT NULL UNIQUE, permissions text[] NOT NULL, created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL, used_at timestamptz, revoked_at timestamptz);
CREATE INDEX oauth_tokens_grant_id ON oauth_tokens (grant_id);
CREATE INDEX oauth_tokens_expires_at ON oauth_tokens (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_clients, oauth_grants, oauth_tokens TO malipo_app;
"""

WEBHOOKS = """
CREATE TABLE webhook_endpoints (
  id uuid PRIMARY KEY, tenant_id uuid, url text NOT NULL, events text[], sealed_secret bytea NOT NULL,
  sealed_previous_secret bytea, previous_secret_until timestamptz, is_enabled boolean NOT NULL, disabled_because text,
  failing_since timestamptz, created_at timestamptz NOT NULL, created_by text NOT NULL, updated_at timestamptz NOT NULL,
  deleted_at timestamptz);
CREATE INDEX webhook_endpoints_tenant_id_id ON webhook_endpoints (tenant_id, id) WHERE deleted_at IS NULL;
CREATE TABLE webhook_deliveries (
  id uuid PRIMARY KEY, endpoint_id uuid NOT NULL, tenant_id uuid, event_seq bigint NOT NULL, object_id text NOT NULL,
  state text NOT NULL CHECK (state IN ('due', 'delivered', 'dead', 'cancelled')), attempts integer NOT NULL,
  next_at timestamptz NOT NULL, leased_until timestamptz, fence integer NOT NULL, is_replay boolean NOT NULL,
  endpoints smallint NOT NULL CHECK (endpoints > 0), created_at timestamptz NOT NULL, finished_at timestamptz);
CREATE UNIQUE INDEX webhook_deliveries_of_event ON webhook_deliveries (endpoint_id, event_seq) WHERE NOT is_replay;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_at) WHERE state = 'due';
CREATE INDEX webhook_deliveries_first ON webhook_deliveries (endpoint_id, object_id, event_seq)
  WHERE state = 'due' AND attempts = 0;
CREATE INDEX webhook_deliveries_of_endpoint ON webhook_deliveries (endpoint_id, next_at, event_seq) WHERE state = 'due';
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (endpoint_id) WHERE leased_until IS NOT NULL;
CREATE INDEX webhook_deliveries_dead ON webhook_deliveries (finished_at) WHERE state = 'dead';
CREATE INDEX webhook_deliveries_endpoint_id_id ON webhook_deliveries (endpoint_id, id);
CREATE INDEX webhook_deliveries_tenant_id_id ON webhook_deliveries (tenant_id, id);
CREATE TABLE webhook_attempts (
  id uuid PRIMARY KEY, delivery_id uuid NOT NULL, endpoint_id uuid NOT NULL, tenant_id uuid, number integer NOT NULL,
  at timestamptz NOT NULL, duration_ms integer NOT NULL, address text, status integer, error text, answer text,
  is_by_hand boolean NOT NULL);
CREATE INDEX webhook_attempts_delivery_id_id ON webhook_attempts (delivery_id, id);
CREATE INDEX webhook_attempts_endpoint_id_id ON webhook_attempts (endpoint_id, id);
GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_endpoints, webhook_deliveries, webhook_attempts TO malipo_app;
"""

REQUESTS = """
CREATE TABLE api_requests (
  id uuid PRIMARY KEY, tenant_id uuid NOT NULL, key_id uuid, user_id uuid, request_id text NOT NULL, method text NOT NULL,
  route text NOT NULL, path text NOT NULL, status smallint NOT NULL, duration_ms integer NOT NULL, key_digest bytea,
  is_replay boolean NOT NULL, object_id text, error_code text, address text, request text, answer text);
CREATE INDEX api_requests_tenant_id_id ON api_requests (tenant_id, id);
CREATE INDEX api_requests_tenant_id_object_id ON api_requests (tenant_id, object_id, id) WHERE object_id IS NOT NULL;
CREATE INDEX api_requests_request_id ON api_requests (request_id);
GRANT SELECT, INSERT, DELETE ON api_requests TO malipo_app;
"""

DISPUTES = """
CREATE TABLE disputes (
  id uuid PRIMARY KEY, payment_id uuid NOT NULL, attempt_id uuid NOT NULL, tenant_id uuid NOT NULL, provider text NOT NULL,
  account_id uuid, provider_reference text NOT NULL, amount bigint NOT NULL CHECK (amount > 0), currency char(3) NOT NULL,
  reason text, provider_status text NOT NULL, state text NOT NULL
  CHECK (state IN ('inquiry', 'open', 'won', 'lost', 'closed')), held bigint NOT NULL CHECK (held >= 0),
  owed bigint NOT NULL CHECK (owed >= 0), opened_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
  closed_at timestamptz);
CREATE UNIQUE INDEX disputes_provider_reference ON disputes (provider_reference, provider, account_id) NULLS NOT DISTINCT;
CREATE INDEX disputes_payment_id ON disputes (payment_id);
CREATE INDEX disputes_tenant_id_id ON disputes (tenant_id, id);
GRANT SELECT, INSERT, UPDATE ON disputes TO malipo_app;
"""

TABLES = "oauth_clients, oauth_grants, oauth_tokens, webhook_endpoints, webhook_deliveries, webhook_attempts, api_requests, disputes"

TABLES_BEFORE = """
ALTER TABLE api_keys DROP COLUMN permissions, DROP COLUMN requests_per_minute;
ALTER TABLE payments DROP COLUMN api;
ALTER TABLE tenants DROP COLUMN reset_at;
"""


def upgrade() -> None:
    for statement in (KEYS, PAYMENTS, OAUTH, WEBHOOKS, REQUESTS, DISPUTES):
        op.execute(statement)


def downgrade() -> None:
    op.execute(f"DROP TABLE {TABLES}")
    op.execute(TABLES_BEFORE)

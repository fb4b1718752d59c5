"""Members and invitations, customers and their payment methods, orders, withdrawals and payouts."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ROLES = "'owner', 'admin', 'finance_admin', 'finance', 'support_lead', 'analyst', 'cashier'"

PEOPLE = f"""
CREATE TABLE members (
  tenant_id uuid NOT NULL, user_id uuid NOT NULL, role text NOT NULL CHECK (role IN ({ROLES})),
  created_at timestamptz NOT NULL, suspended_at timestamptz, PRIMARY KEY (tenant_id, user_id));
CREATE INDEX members_user_id ON members (user_id);
CREATE TABLE invitations (
  id uuid PRIMARY KEY, tenant_id uuid NOT NULL, email text NOT NULL, role text NOT NULL CHECK (role IN ({ROLES})),
  token_hash bytea NOT NULL UNIQUE, invited_by text NOT NULL, created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL, accepted_at timestamptz, accepted_by uuid, revoked_at timestamptz);
CREATE INDEX invitations_tenant_id_id ON invitations (tenant_id, id);
CREATE UNIQUE INDEX invitations_open ON invitations (tenant_id, email) WHERE accepted_at IS NULL AND revoked_at IS NULL;
GRANT SELECT, INSERT, UPDATE, DELETE ON members, invitations TO malipo_app;
"""

# When a key was used is written often and decides nothing: it does not raise the version of the reference data.
KEYS = """
ALTER TABLE tenants ADD COLUMN currency char(3) NOT NULL DEFAULT 'KES', ADD COLUMN payout_destination_id uuid;
ALTER TABLE tenants ALTER COLUMN currency DROP DEFAULT;
ALTER TABLE api_keys ADD COLUMN created_by text, ADD COLUMN last_used_at timestamptz,
  ADD COLUMN expires_at timestamptz, ADD COLUMN suspended_at timestamptz;
DROP TRIGGER reference_data_changed ON api_keys;
CREATE TRIGGER reference_data_changed
  AFTER INSERT OR UPDATE OF tenant_id, prefix, secret_hash, revoked_at, expires_at, suspended_at OR DELETE OR TRUNCATE
  ON api_keys FOR EACH STATEMENT EXECUTE FUNCTION reference_data_changed();
"""

CUSTOMERS = """
CREATE TABLE customers (
  id uuid PRIMARY KEY, tenant_id uuid NOT NULL, name text, email text, phone text, reference text,
  preferred_provider text, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL);
CREATE INDEX customers_tenant_id_created_at_id ON customers (tenant_id, created_at, id);
CREATE UNIQUE INDEX customers_tenant_id_reference ON customers (tenant_id, reference) WHERE reference IS NOT NULL;
CREATE TABLE payment_methods (
  id uuid PRIMARY KEY, tenant_id uuid NOT NULL, customer_id uuid NOT NULL, method_id text NOT NULL, provider text NOT NULL,
  details jsonb NOT NULL, is_default boolean NOT NULL, saved_at timestamptz NOT NULL, UNIQUE (customer_id, method_id));
CREATE UNIQUE INDEX payment_methods_default ON payment_methods (customer_id) WHERE is_default;
CREATE TABLE orders (
  id uuid PRIMARY KEY, tenant_id uuid NOT NULL, customer_id uuid NOT NULL, amount bigint NOT NULL CHECK (amount > 0),
  currency char(3) NOT NULL, items jsonb, reference text, description text, created_at timestamptz NOT NULL,
  cancelled_at timestamptz);
CREATE INDEX orders_tenant_id_created_at_id ON orders (tenant_id, created_at, id);
CREATE INDEX orders_tenant_id_customer_id_created_at_id ON orders (tenant_id, customer_id, created_at, id);
ALTER TABLE payments ADD COLUMN order_id uuid, ADD COLUMN saved_details jsonb,
  ADD COLUMN save_method text CHECK (save_method IN ('save', 'save_as_default'));
CREATE UNIQUE INDEX payments_live_of_order ON payments (order_id)
  WHERE order_id IS NOT NULL AND status NOT IN ('failed', 'cancelled');
CREATE INDEX payments_order_id_id ON payments (order_id, id) WHERE order_id IS NOT NULL;
GRANT SELECT, INSERT, UPDATE ON customers, orders TO malipo_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON payment_methods TO malipo_app;
"""

WITHDRAWALS = """
CREATE TABLE withdrawals (
  id uuid PRIMARY KEY, tenant_id uuid NOT NULL, amount bigint NOT NULL, fee bigint NOT NULL, currency char(3) NOT NULL,
  method text NOT NULL, destination jsonb NOT NULL, destination_id uuid NOT NULL,
  digest text NOT NULL, notes text,
  required_approvals smallint NOT NULL CHECK (required_approvals >= 1),
  status text NOT NULL CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'canceled')),
  initiated_by uuid NOT NULL, approved_by uuid, canceled_by uuid, cancel_reason text, failure_code text,
  failure_reason text, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, approved_at timestamptz,
  completed_at timestamptz, last_write uuid, CHECK (fee >= 0 AND amount > fee));
CREATE INDEX withdrawals_tenant_id_id ON withdrawals (tenant_id, id);
CREATE INDEX withdrawals_tenant_id_status_id ON withdrawals (tenant_id, status, id);
CREATE TABLE withdrawal_approvals (
  id uuid PRIMARY KEY, withdrawal_id uuid NOT NULL, user_id uuid NOT NULL, digest text NOT NULL,
  created_at timestamptz NOT NULL, UNIQUE (withdrawal_id, user_id));
CREATE TABLE payouts (
  id uuid PRIMARY KEY, withdrawal_id uuid NOT NULL UNIQUE, tenant_id uuid NOT NULL, provider text NOT NULL,
  account_id uuid, environment text NOT NULL, amount bigint NOT NULL CHECK (amount > 0), currency char(3) NOT NULL,
  method text NOT NULL, reference text NOT NULL UNIQUE, callback_token text NOT NULL UNIQUE,
  state text NOT NULL CHECK (state IN ('created', 'sending', 'unknown', 'pending', 'completed', 'failed')),
  provider_reference text, receipt text, provider_response jsonb, error_code text, error_message text,
  inquiries integer NOT NULL, sent_at timestamptz, created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
  completed_at timestamptz);
CREATE INDEX payouts_provider_reference ON payouts (provider_reference);
CREATE TABLE withdrawal_reviews (
  id uuid PRIMARY KEY, withdrawal_id uuid NOT NULL, reason text NOT NULL CHECK (reason IN (
    'altered', 'payout_unknown', 'payout_stuck', 'payout_amount_mismatch', 'payout_returned',
    'paid_after_failure', 'wrong_environment')),
  opened_at timestamptz NOT NULL, opened_by text NOT NULL, closed_at timestamptz, closed_by text);
CREATE UNIQUE INDEX withdrawal_reviews_open ON withdrawal_reviews (withdrawal_id, reason) WHERE closed_at IS NULL;
CREATE TABLE payout_destinations (
  id uuid PRIMARY KEY, tenant_id uuid NOT NULL, digest text NOT NULL, method text NOT NULL, details jsonb NOT NULL,
  added_by uuid, added_at timestamptz NOT NULL, confirmed_by uuid, confirmed_at timestamptz, UNIQUE (tenant_id, digest));
CREATE TABLE approval_bands (
  tenant_id uuid NOT NULL, currency char(3) NOT NULL, from_minor bigint NOT NULL, approvals smallint NOT NULL,
  PRIMARY KEY (tenant_id, currency, from_minor), CHECK (from_minor >= 0 AND approvals BETWEEN 1 AND 5));
CREATE TABLE withdrawal_minimums (
  id uuid PRIMARY KEY, tenant_id uuid, method text NOT NULL, currency char(3) NOT NULL,
  minimum bigint NOT NULL CHECK (minimum > 0), UNIQUE NULLS NOT DISTINCT (tenant_id, method, currency));
GRANT SELECT, INSERT, UPDATE ON withdrawals, withdrawal_approvals, payouts, withdrawal_reviews, payout_destinations TO malipo_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON approval_bands, withdrawal_minimums TO malipo_app;
"""

# Made of postings, which never change: what a statement begins with is not summed from the first posting each time.
MARKS = """
CREATE TABLE balance_marks (
  account_id bigint NOT NULL, posting_id bigint NOT NULL, balance bigint NOT NULL, PRIMARY KEY (account_id, posting_id));
GRANT SELECT, INSERT ON balance_marks TO malipo_app;
"""

# What every installation starts with, from document 002.
RULES = """
INSERT INTO fee_rules (id, operation, method, currency, from_minor, fixed_minor, rate_ppm, created_at) VALUES
  ('0198a000-0000-7000-8000-000000000004', 'withdrawal', 'mpesa', 'KES', 0, 3300, 0, '2026-01-01T00:00:00Z'),
  ('0198a000-0000-7000-8000-000000000005', 'withdrawal', 'till', 'KES', 0, 2700, 0, '2026-01-01T00:00:00Z'),
  ('0198a000-0000-7000-8000-000000000006', 'withdrawal', 'bank_transfer', 'KES', 0, 5000, 0, '2026-01-01T00:00:00Z');
INSERT INTO withdrawal_minimums (id, method, currency, minimum) VALUES
  ('0198a000-0000-7000-8000-000000000007', 'mpesa', 'KES', 1000),
  ('0198a000-0000-7000-8000-000000000008', 'till', 'KES', 1000),
  ('0198a000-0000-7000-8000-000000000009', 'bank_transfer', 'KES', 10000);
"""

TABLES = (
    "members, invitations, customers, payment_methods, orders, withdrawals, withdrawal_approvals, payouts, "
    "withdrawal_reviews, payout_destinations, approval_bands, withdrawal_minimums, balance_marks"
)

TABLES_BEFORE = """
DROP TRIGGER reference_data_changed ON api_keys;
CREATE TRIGGER reference_data_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON api_keys
  FOR EACH STATEMENT EXECUTE FUNCTION reference_data_changed();
ALTER TABLE api_keys DROP COLUMN created_by, DROP COLUMN last_used_at, DROP COLUMN expires_at, DROP COLUMN suspended_at;
ALTER TABLE tenants DROP COLUMN currency, DROP COLUMN payout_destination_id;
DROP INDEX payments_live_of_order, payments_order_id_id;
ALTER TABLE payments DROP COLUMN order_id, DROP COLUMN saved_details, DROP COLUMN save_method;
DELETE FROM fee_rules WHERE operation = 'withdrawal';
"""


def upgrade() -> None:
    op.execute("DROP FUNCTION IF EXISTS payment_apply(timestamptz, bigint, jsonb)")  # write_set_apply now
    for statements in (PEOPLE, KEYS, CUSTOMERS, WITHDRAWALS, MARKS, RULES):
        op.execute(statements)


def downgrade() -> None:
    op.execute(TABLES_BEFORE)
    op.execute(f"DROP TABLE {TABLES}")

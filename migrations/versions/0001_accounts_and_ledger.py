"""Users, accounts, ledger, wallet payments, idempotency, outbox and events, jobs, KYC.

The SQL functions are not here: env.py installs them (app/ledger/install.py) after every upgrade.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE users (
  id uuid PRIMARY KEY, email text NOT NULL UNIQUE, password_hash text NOT NULL,
  first_name text NOT NULL, last_name text NOT NULL, phone text,
  tier smallint NOT NULL, is_active boolean NOT NULL, created_at timestamptz NOT NULL);

CREATE TABLE sessions (
  id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE, refresh_id uuid NOT NULL,
  created_at timestamptz NOT NULL, expires_at timestamptz NOT NULL, revoked_at timestamptz);
CREATE INDEX ix_sessions_user_id ON sessions (user_id);

-- fillfactor leaves room for the new version of a balance on its own page; balance and held are in no index (HOT).
CREATE TABLE accounts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, public_id text NOT NULL UNIQUE,
  tenant_id uuid, owner_id uuid, kind text NOT NULL, wallet_type text, name text,
  currency char(3) NOT NULL, floored boolean NOT NULL, frozen boolean NOT NULL DEFAULT false,
  balance bigint NOT NULL DEFAULT 0, held bigint NOT NULL DEFAULT 0, created_at timestamptz NOT NULL,
  CHECK (held >= 0), CHECK (NOT floored OR balance >= held)) WITH (fillfactor = 70);
CREATE INDEX ix_accounts_owner_id ON accounts (owner_id);

-- No foreign keys from here to accounts: their share locks beside balance updates cost 18 %;
-- `flask ledger check` proves what they would.
CREATE TABLE entries (
  id uuid PRIMARY KEY, tenant_id uuid, kind text NOT NULL, ref_id uuid NOT NULL, currency char(3) NOT NULL,
  at timestamptz NOT NULL, UNIQUE (ref_id, kind));
CREATE TABLE postings (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, entry_id uuid NOT NULL, account_id bigint NOT NULL,
  amount bigint NOT NULL CHECK (amount <> 0));
CREATE INDEX postings_account_id_id ON postings (account_id, id);
CREATE INDEX postings_entry_id ON postings (entry_id);
CREATE TABLE unfolded (
  account_id bigint NOT NULL, posting_id bigint NOT NULL, amount bigint NOT NULL, PRIMARY KEY (account_id, posting_id))
  WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
CREATE TABLE holds (
  ref_id uuid PRIMARY KEY, account_id bigint NOT NULL, amount bigint NOT NULL CHECK (amount > 0),
  state text NOT NULL CHECK (state IN ('open', 'captured', 'released')),
  opened_at timestamptz NOT NULL, closed_at timestamptz);
CREATE INDEX holds_account_id_open ON holds (account_id) WHERE state = 'open';
CREATE TABLE spending (
  user_id uuid NOT NULL, day date NOT NULL, usd_minor bigint NOT NULL CHECK (usd_minor >= 0),
  PRIMARY KEY (user_id, day)) WITH (fillfactor = 70);

CREATE TABLE wallet_payments (
  id uuid PRIMARY KEY, sender_id uuid NOT NULL, recipient_id uuid NOT NULL,
  source_id bigint NOT NULL, destination_id bigint NOT NULL, source text NOT NULL, destination text NOT NULL,
  entry_id uuid NOT NULL, amount bigint NOT NULL CHECK (amount > 0), currency char(3) NOT NULL,
  description text, metadata jsonb,
  status text NOT NULL CHECK (status IN ('pending', 'processing', 'completed', 'failed')), failure_reason text,
  created_at timestamptz NOT NULL, completed_at timestamptz) WITH (fillfactor = 85);
CREATE INDEX wallet_payments_sender_id_id ON wallet_payments (sender_id, id);
CREATE INDEX wallet_payments_recipient_id_id ON wallet_payments (recipient_id, id);

CREATE TABLE cash_movements (
  id uuid PRIMARY KEY, kind text NOT NULL CHECK (kind IN ('deposit', 'withdrawal')), user_id uuid NOT NULL,
  account_id bigint NOT NULL, entry_id uuid NOT NULL, amount bigint NOT NULL CHECK (amount > 0),
  currency char(3) NOT NULL, counterparty text NOT NULL, reference text, description text,
  created_at timestamptz NOT NULL);
CREATE INDEX ix_cash_movements_account_id ON cash_movements (account_id);

CREATE TABLE idempotency (
  scope uuid PRIMARY KEY, fingerprint bytea NOT NULL, resource_id uuid, status smallint,
  is_refusal boolean NOT NULL DEFAULT false, body text, fence integer NOT NULL DEFAULT 1,
  leased_until timestamptz, created_at timestamptz NOT NULL);

-- CACHE 1: a number is taken when the row is inserted, so numbers of one object ascend in commit order.
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY, tenant_id uuid, type text NOT NULL,
  object_id text NOT NULL, actor text, address text, is_public boolean NOT NULL, data jsonb NOT NULL,
  at timestamptz NOT NULL)
  WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0);
CREATE TABLE events (
  seq bigint PRIMARY KEY, tenant_id uuid, type text NOT NULL, object_id text NOT NULL, actor text, address text,
  is_public boolean NOT NULL, data jsonb NOT NULL, at timestamptz NOT NULL, hmac bytea NOT NULL);
CREATE INDEX events_tenant_id_seq ON events (tenant_id, seq);
CREATE INDEX events_object_id_seq ON events (object_id, seq);
CREATE TABLE relay_state (id smallint PRIMARY KEY CHECK (id = 1), pushed_through bigint NOT NULL);
INSERT INTO relay_state VALUES (1, 0);

CREATE TABLE jobs (
  id uuid PRIMARY KEY, kind text NOT NULL, ref text NOT NULL, payload jsonb NOT NULL, run_at timestamptz NOT NULL,
  attempts integer NOT NULL, fence integer NOT NULL, leased_until timestamptz,
  state text NOT NULL CHECK (state IN ('due', 'done', 'dead')), last_error text,
  created_at timestamptz NOT NULL, finished_at timestamptz, UNIQUE (kind, ref));
CREATE INDEX jobs_run_at_due ON jobs (run_at) WHERE state = 'due';

CREATE TABLE kyc_requests (
  id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  status text NOT NULL CHECK (status IN ('pending', 'under_review', 'verified', 'rejected')),
  details bytea NOT NULL, rejection_reason text, submitted_at timestamptz NOT NULL, decided_at timestamptz);
CREATE INDEX ix_kyc_requests_user_id ON kyc_requests (user_id);
CREATE TABLE kyc_documents (
  id uuid PRIMARY KEY, request_id uuid NOT NULL REFERENCES kyc_requests ON DELETE CASCADE,
  document_type text NOT NULL, media_type text NOT NULL, size integer NOT NULL, sha256 bytea NOT NULL,
  file_name text NOT NULL, uploaded_at timestamptz NOT NULL);
CREATE INDEX ix_kyc_documents_request_id ON kyc_documents (request_id);
"""

# One statement reads row and queue, so a fold between two reads cannot make the sum wrong.
VIEW = """
CREATE VIEW account_balances AS
SELECT a.id, a.public_id, a.owner_id, a.kind, a.wallet_type, a.name, a.currency, a.frozen,
  (a.balance + coalesce((SELECT sum(u.amount) FROM unfolded u WHERE u.account_id = a.id), 0))::bigint AS balance,
  a.held, a.created_at
FROM accounts a;
"""

# What is written stays written, even for the tables' owner.
INSERT_ONLY = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '% is insert-only', TG_TABLE_NAME USING ERRCODE = 'LG009'; END $$;
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE ON entries FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE ON postings FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

# The application reads everything, writes its own tables, and reaches the ledger through functions only.
RIGHTS = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'malipo_app') THEN CREATE ROLE malipo_app NOLOGIN; END IF;
END $$;
GRANT USAGE ON SCHEMA public TO malipo_app;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO malipo_app;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO malipo_app;
GRANT INSERT, UPDATE, DELETE ON users, sessions, jobs, kyc_requests, kyc_documents, idempotency TO malipo_app;
GRANT INSERT ON cash_movements, outbox, events TO malipo_app;
GRANT DELETE ON outbox TO malipo_app;
GRANT UPDATE ON relay_state TO malipo_app;
"""


def upgrade() -> None:
    for script in (TABLES, VIEW, INSERT_ONLY, RIGHTS):
        op.execute(script)


def downgrade() -> None:
    raise RuntimeError("The first migration is not undone: drop the database instead.")

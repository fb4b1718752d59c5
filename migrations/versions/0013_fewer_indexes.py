"""Fewer indexes on what every payment writes, and the sweep of unmatched callbacks as a recurring job."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INDEXES = """
DROP INDEX payment_attempts_short_reference;
DROP INDEX payment_attempts_any_short_reference;
CREATE INDEX payment_attempts_short_reference ON payment_attempts (short_reference);
DROP INDEX payment_attempts_any_provider_reference;
DROP INDEX payment_attempts_provider_reference;
CREATE UNIQUE INDEX payment_attempts_provider_reference ON payment_attempts (provider_reference, provider, account_id)
  NULLS NOT DISTINCT WHERE provider_reference IS NOT NULL;
DROP INDEX payment_attempts_any_receipt;
DROP INDEX payment_attempts_receipt;
CREATE UNIQUE INDEX payment_attempts_receipt ON payment_attempts (receipt, provider, account_id)
  NULLS NOT DISTINCT WHERE receipt IS NOT NULL;
DROP INDEX payments_metadata;
CREATE INDEX payments_metadata ON payments USING gin (metadata jsonb_path_ops) WHERE metadata IS NOT NULL;
DROP INDEX payments_tenant_id_customer_id_id;
CREATE INDEX payments_tenant_id_customer_id_id ON payments (tenant_id, customer_id, id) WHERE customer_id IS NOT NULL;
"""
"""An index that begins with the provider's word serves both who knows the provider and who does not."""

OLD_INDEXES = """
DROP INDEX payment_attempts_short_reference;
CREATE INDEX payment_attempts_short_reference ON payment_attempts (provider, short_reference);
CREATE INDEX payment_attempts_any_short_reference ON payment_attempts (short_reference);
DROP INDEX payment_attempts_provider_reference;
CREATE UNIQUE INDEX payment_attempts_provider_reference ON payment_attempts (provider, account_id, provider_reference)
  NULLS NOT DISTINCT WHERE provider_reference IS NOT NULL;
CREATE INDEX payment_attempts_any_provider_reference ON payment_attempts (provider_reference);
DROP INDEX payment_attempts_receipt;
CREATE UNIQUE INDEX payment_attempts_receipt ON payment_attempts (provider, account_id, receipt)
  NULLS NOT DISTINCT WHERE receipt IS NOT NULL;
CREATE INDEX payment_attempts_any_receipt ON payment_attempts (receipt);
DROP INDEX payments_metadata;
CREATE INDEX payments_metadata ON payments USING gin (metadata jsonb_path_ops);
DROP INDEX payments_tenant_id_customer_id_id;
CREATE INDEX payments_tenant_id_customer_id_id ON payments (tenant_id, customer_id, id);
"""

SWEEP = """
DELETE FROM jobs WHERE kind = 'provider_event.sweep';
DROP FUNCTION IF EXISTS callback_store_unsigned(
  timestamptz, jsonb, bytea, uuid, interval, uuid, timestamptz, integer, integer, timestamptz);
DROP FUNCTION IF EXISTS callback_store(timestamptz, jsonb, bytea, uuid, interval, uuid, timestamptz);
"""

OLD_SWEEP = """
DELETE FROM jobs WHERE kind = 'provider_event.sweep';
DROP FUNCTION IF EXISTS callback_store_unsigned(
  timestamptz, jsonb, bytea, uuid, interval, interval, integer, integer, timestamptz);
DROP FUNCTION IF EXISTS callback_store(timestamptz, jsonb, bytea, uuid, interval, interval);
"""


def upgrade() -> None:
    op.execute(INDEXES)
    op.execute(SWEEP)


def downgrade() -> None:
    op.execute(OLD_SWEEP)
    op.execute(OLD_INDEXES)

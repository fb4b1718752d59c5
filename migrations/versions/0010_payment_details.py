"""Why a payment or a refund failed is said in the gateway's own words, beside the provider's; a payment has a description for
its customer and a reference of its merchant's."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE payments ADD COLUMN provider_failure jsonb, ADD COLUMN description text, ADD COLUMN reference text;
CREATE INDEX payments_reference ON payments (reference) WHERE reference IS NOT NULL;
ALTER TABLE refunds
  ADD COLUMN failure_code text, ADD COLUMN failure_reason text, ADD COLUMN provider_failure jsonb;
-- What merchants have read of these so far.
UPDATE refunds SET failure_reason = error_message WHERE state = 'failed';
"""


DROPPED = """
ALTER TABLE refunds DROP COLUMN provider_failure, DROP COLUMN failure_reason, DROP COLUMN failure_code;
ALTER TABLE payments DROP COLUMN reference, DROP COLUMN description, DROP COLUMN provider_failure;
"""


def upgrade() -> None:
    op.execute(COLUMNS)


def downgrade() -> None:
    op.execute(DROPPED)

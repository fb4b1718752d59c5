"""External refunds: made at the provider, not by the gateway."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

CHANGES = """
ALTER TABLE refunds ADD COLUMN origin text NOT NULL DEFAULT 'gateway' CHECK (origin IN ('gateway', 'provider'));
ALTER TABLE refunds ALTER COLUMN origin DROP DEFAULT;
-- A provider's refund is recorded once, whatever reports it.
CREATE UNIQUE INDEX refunds_found ON refunds (attempt_id, provider_reference) WHERE origin = 'provider';
"""


def upgrade() -> None:
    op.execute(CHANGES)


def downgrade() -> None:
    op.execute("DROP INDEX refunds_found; ALTER TABLE refunds DROP COLUMN origin;")

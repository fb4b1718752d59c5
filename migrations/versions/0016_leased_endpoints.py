"""Endpoints of webhooks are leased, not deliveries: a delivery is written once, when it has been sent."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

LEASES = """
ALTER TABLE webhook_endpoints ADD COLUMN leased_until timestamptz, ADD COLUMN fence integer NOT NULL DEFAULT 0;
DROP INDEX webhook_deliveries_leased;
DROP INDEX webhook_deliveries_first;
ALTER TABLE webhook_deliveries DROP COLUMN leased_until, DROP COLUMN fence;
CREATE INDEX webhook_deliveries_first ON webhook_deliveries (endpoint_id, event_seq) WHERE state = 'due' AND attempts = 0;
CREATE INDEX webhook_deliveries_again ON webhook_deliveries (endpoint_id, next_at, event_seq)
  WHERE state = 'due' AND attempts > 0;
"""

OLD_LEASES = """
DROP INDEX webhook_deliveries_again;
DROP INDEX webhook_deliveries_first;
ALTER TABLE webhook_deliveries ADD COLUMN leased_until timestamptz, ADD COLUMN fence integer NOT NULL DEFAULT 0;
ALTER TABLE webhook_deliveries ALTER COLUMN fence DROP DEFAULT;
CREATE INDEX webhook_deliveries_first ON webhook_deliveries (endpoint_id, object_id, event_seq)
  WHERE state = 'due' AND attempts = 0;
CREATE INDEX webhook_deliveries_leased ON webhook_deliveries (endpoint_id) WHERE leased_until IS NOT NULL;
ALTER TABLE webhook_endpoints DROP COLUMN fence, DROP COLUMN leased_until;
"""


def upgrade() -> None:
    op.execute(LEASES)


def downgrade() -> None:
    op.execute(OLD_LEASES)

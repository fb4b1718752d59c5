"""Mails of the gateway, one row each."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

NOTIFICATIONS = """
CREATE TABLE notifications (
  id uuid PRIMARY KEY, tenant_id uuid, kind text NOT NULL, ref uuid NOT NULL, sender text NOT NULL, recipient text NOT NULL,
  subject text NOT NULL, text text NOT NULL, html text NOT NULL, message_id text NOT NULL UNIQUE,
  state text NOT NULL CHECK (state IN ('queued', 'sent')), attempts integer NOT NULL, last_error text,
  created_at timestamptz NOT NULL, sent_at timestamptz, UNIQUE (kind, ref));
GRANT SELECT, INSERT, UPDATE, DELETE ON notifications TO malipo_app;
"""

# A job of a kind that the older version does not know would fail each time it is run.
NO_NOTIFICATIONS = """
DELETE FROM jobs WHERE kind = 'mail.send';
DROP TABLE notifications;
"""


def upgrade() -> None:
    op.execute(NOTIFICATIONS)


def downgrade() -> None:
    op.execute(NO_NOTIFICATIONS)

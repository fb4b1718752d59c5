"""Two more reasons for a review: a payment that is on its way for too long, and answers that contradict each other."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OLD = """'late_success', 'amount_mismatch', 'return_in_progress', 'dispute', 'refunded_at_provider', 'refund_returned',
  'reversed_after_refund', 'reference_in_use', 'refund_unknown', 'refund_stuck', 'refund_amount_mismatch', 'outcome_unknown',
  'no_provider_id', 'inquiry_failed', 'wrong_environment'"""

CHECK = """
ALTER TABLE payment_reviews DROP CONSTRAINT payment_reviews_reason_check;
ALTER TABLE payment_reviews ADD CONSTRAINT payment_reviews_reason_check CHECK (reason IN ({}));
"""


RENAMED = """
UPDATE payment_reviews SET reason = 'outcome_unknown', closed_at = coalesce(closed_at, now()),
  closed_by = coalesce(closed_by, 'system') WHERE reason IN ('payment_stuck', 'contradicting_answers');
"""
"""Closed: the older release has no such reasons, and opens its own when it queries the provider."""


def upgrade() -> None:
    op.execute(CHECK.format(f"{OLD}, 'payment_stuck', 'contradicting_answers'"))


def downgrade() -> None:
    op.execute(RENAMED)
    op.execute(CHECK.format(OLD))

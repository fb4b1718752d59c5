"""Reviews of payments become rows, since a payment may need an operator for several reasons at once; names of the glossary."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

REASONS = {
    "nothing_to_ask_by": "no_provider_id",
    "cannot_be_asked": "inquiry_failed",
    "being_returned": "return_in_progress",
    "refund_came_back": "refund_returned",
    "reference_taken": "reference_in_use",
}
"""Reasons that have another name from now on."""

JOBS = {"payment.drive": "payment.follow_up", "refund.drive": "refund.follow_up"}
"""Kinds of jobs that have another name from now on."""

PAYLOADS = """
ALTER TABLE jobs ADD COLUMN payload jsonb NOT NULL DEFAULT '{}';
ALTER TABLE jobs ALTER COLUMN payload DROP DEFAULT;
UPDATE jobs SET payload = CASE kind
  WHEN 'payment.follow_up' THEN jsonb_build_object('attempt_id', ref)
  WHEN 'refund.follow_up' THEN jsonb_build_object('refund_id', ref)
  WHEN 'provider_event.process' THEN jsonb_build_object('event_id', ref)
  WHEN 'kyc.verify' THEN jsonb_build_object('request_id', ref) ELSE '{}' END;
"""

TABLE = """
CREATE TABLE payment_reviews (
  id uuid PRIMARY KEY, payment_id uuid NOT NULL,
  reason text NOT NULL CHECK (reason IN ('late_success', 'amount_mismatch', 'return_in_progress', 'dispute',
    'refunded_at_provider', 'refund_returned', 'reversed_after_refund', 'reference_in_use', 'refund_unknown',
    'refund_stuck', 'refund_amount_mismatch', 'outcome_unknown', 'no_provider_id', 'inquiry_failed',
    'wrong_environment')),
  opened_at timestamptz NOT NULL, opened_by text NOT NULL, closed_at timestamptz, closed_by text);
CREATE UNIQUE INDEX payment_reviews_open ON payment_reviews (payment_id, reason) WHERE closed_at IS NULL;
GRANT SELECT, INSERT, UPDATE ON payment_reviews TO malipo_app;
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute(
        f"UPDATE payments SET review = CASE review {_cases(REASONS)} ELSE review END WHERE review IS NOT NULL"
    )
    op.execute(
        "INSERT INTO payment_reviews (id, payment_id, reason, opened_at, opened_by) "
        "SELECT gen_random_uuid(), id, review, updated_at, 'system' FROM payments WHERE review IS NOT NULL"
    )
    op.execute("DROP INDEX payments_review; ALTER TABLE payments DROP COLUMN review;")
    op.execute(
        f"UPDATE jobs SET kind = CASE kind {_cases(JOBS)} ELSE kind END WHERE kind IN ({_listed(JOBS)})"
    )
    # A job reads the state as it is when it runs: its ref says enough.
    op.execute("ALTER TABLE jobs DROP COLUMN payload")
    op.execute(
        "ALTER TABLE payment_attempts RENAME COLUMN label TO short_reference; "
        "ALTER INDEX payment_attempts_label RENAME TO payment_attempts_short_reference; "
        "ALTER INDEX refunds_found RENAME TO refunds_external;"
    )


def downgrade() -> None:
    op.execute(
        "ALTER INDEX refunds_external RENAME TO refunds_found; "
        "ALTER INDEX payment_attempts_short_reference RENAME TO payment_attempts_label; "
        "ALTER TABLE payment_attempts RENAME COLUMN short_reference TO label;"
    )
    op.execute(PAYLOADS)
    old_jobs = {new: old for old, new in JOBS.items()}
    op.execute(
        f"UPDATE jobs SET kind = CASE kind {_cases(old_jobs)} ELSE kind END WHERE kind IN ({_listed(old_jobs)})"
    )
    op.execute("ALTER TABLE payments ADD COLUMN review text")
    old_reasons = {new: old for old, new in REASONS.items()}
    op.execute(
        f"UPDATE payments p SET review = CASE r.reason {_cases(old_reasons)} ELSE r.reason END "
        "FROM payment_reviews r WHERE r.payment_id = p.id AND r.closed_at IS NULL"
    )
    op.execute(
        "CREATE INDEX payments_review ON payments (id) WHERE review IS NOT NULL; DROP TABLE payment_reviews;"
    )


def _cases(names: dict[str, str]) -> str:
    return " ".join(f"WHEN '{old}' THEN '{new}'" for old, new in names.items())


def _listed(names: dict[str, str]) -> str:
    return ", ".join(f"'{name}'" for name in names)

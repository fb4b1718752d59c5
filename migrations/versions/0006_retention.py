"""Answers of idempotency keys are deleted after a day, done jobs after a week; direct funding has its own name."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# What wallet payments remember is no answer: ids and refusals, without personal data, kept as long as the key.
FACTS = """
ALTER TABLE idempotency ADD COLUMN facts text;
UPDATE idempotency SET facts = body, body = NULL
  WHERE NOT is_refusal AND body LIKE '{"at":%' AND body::jsonb ?& ARRAY['payments', 'refusals'];
ALTER TABLE idempotency DROP COLUMN fence;
"""

SWEEPS = """
CREATE INDEX idempotency_sweep ON idempotency (created_at) WHERE body IS NOT NULL OR fingerprint = '';
CREATE INDEX jobs_done ON jobs (finished_at) WHERE state = 'done';
REVOKE DELETE ON idempotency FROM malipo_app;
"""

DIRECT_FUNDING = """
ALTER TABLE cash_movements RENAME TO direct_fundings;
ALTER INDEX ix_cash_movements_account_id RENAME TO ix_direct_fundings_account_id;
ALTER INDEX cash_movements_pkey RENAME TO direct_fundings_pkey;
ALTER TABLE direct_fundings RENAME CONSTRAINT cash_movements_amount_check TO direct_fundings_amount_check;
ALTER TABLE direct_fundings RENAME CONSTRAINT cash_movements_kind_check TO direct_fundings_kind_check;
"""


def upgrade() -> None:
    for script in (FACTS, SWEEPS, DIRECT_FUNDING):
        op.execute(script)


def downgrade() -> None:
    op.execute(
        "ALTER TABLE direct_fundings RENAME CONSTRAINT direct_fundings_kind_check TO cash_movements_kind_check; "
        "ALTER TABLE direct_fundings RENAME CONSTRAINT direct_fundings_amount_check TO cash_movements_amount_check; "
        "ALTER INDEX direct_fundings_pkey RENAME TO cash_movements_pkey; "
        "ALTER INDEX ix_direct_fundings_account_id RENAME TO ix_cash_movements_account_id; "
        "ALTER TABLE direct_fundings RENAME TO cash_movements; "
        "GRANT DELETE ON idempotency TO malipo_app; DROP INDEX jobs_done; DROP INDEX idempotency_sweep; "
        "UPDATE idempotency SET body = facts WHERE facts IS NOT NULL; ALTER TABLE idempotency DROP COLUMN facts; "
        "ALTER TABLE idempotency ADD COLUMN fence integer NOT NULL DEFAULT 1;"
    )

"""One number that every change of reference data raises; the last write of a payment; finished jobs are deleted."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = ("tenants", "api_keys", "provider_accounts", "fee_rules")

# TRUNCATE too: resetting the demo begins the ids of accounts anew.
REFERENCE_DATA = """
CREATE TABLE reference_data (
  id smallint PRIMARY KEY DEFAULT 1,
  version bigint NOT NULL,
  CHECK (id = 1)
);
INSERT INTO reference_data (version) VALUES (1);
GRANT SELECT ON reference_data TO malipo_app;
CREATE FUNCTION reference_data_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE reference_data SET version = version + 1;
  RETURN NULL;
END $$;
"""

TRIGGER = """
CREATE TRIGGER reference_data_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON {table}
  FOR EACH STATEMENT EXECUTE FUNCTION reference_data_changed();
"""

LAST_WRITE = "ALTER TABLE payments ADD COLUMN last_write uuid"

DONE_JOBS = """
DELETE FROM jobs WHERE state = 'done';
DROP INDEX jobs_done;
ALTER TABLE jobs DROP CONSTRAINT jobs_state_check;
ALTER TABLE jobs ADD CONSTRAINT jobs_state_check CHECK (state IN ('due', 'dead'));
"""


def upgrade() -> None:
    op.execute(REFERENCE_DATA)
    for table in TABLES:
        op.execute(TRIGGER.format(table=table))
    op.execute(LAST_WRITE)
    op.execute(DONE_JOBS)
    op.execute("DROP FUNCTION IF EXISTS wallet_destination")  # part of wallet_pay now


def downgrade() -> None:
    op.execute(
        "ALTER TABLE jobs DROP CONSTRAINT jobs_state_check; "
        "ALTER TABLE jobs ADD CONSTRAINT jobs_state_check CHECK (state IN ('due', 'done', 'dead')); "
        "CREATE INDEX jobs_done ON jobs (finished_at) WHERE state = 'done'"
    )
    op.execute("ALTER TABLE payments DROP COLUMN last_write")
    for table in TABLES:
        op.execute(f"DROP TRIGGER reference_data_changed ON {table}")
    op.execute("DROP FUNCTION reference_data_changed(); DROP TABLE reference_data")

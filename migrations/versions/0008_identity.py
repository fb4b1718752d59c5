"""Attempts at passwords are counted by account, and sessions keep where they were opened from and when they were used."""

from alembic import op

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None

ATTEMPTS = """
CREATE TABLE password_attempts (
  bucket bytea PRIMARY KEY, failures integer NOT NULL, last_at timestamptz NOT NULL, refused_until timestamptz);
CREATE INDEX ix_password_attempts_last_at ON password_attempts (last_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON password_attempts TO malipo_app;
"""

SESSIONS = """
ALTER TABLE sessions ADD COLUMN network text, ADD COLUMN refreshed_at timestamptz;
"""


def upgrade() -> None:
    for script in (ATTEMPTS, SESSIONS):
        op.execute(script)


def downgrade() -> None:
    op.execute(
        "ALTER TABLE sessions DROP COLUMN network, DROP COLUMN refreshed_at; DROP TABLE password_attempts;"
    )

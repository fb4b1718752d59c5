"""Wrong passwords are counted by user, sessions keep where they were opened from and when they were used, and
e-mail addresses are confirmed."""

from alembic import op

revision = "0008"
down_revision = "0007"
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

# Users from before could be paid by their address, so it stays so.
EMAILS = """
ALTER TABLE users ADD COLUMN email_confirmed_at timestamptz;
UPDATE users SET email_confirmed_at = created_at;
CREATE TABLE email_confirmations (
  user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE, token_hash bytea NOT NULL, expires_at timestamptz NOT NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON email_confirmations TO malipo_app;
"""


def upgrade() -> None:
    for script in (ATTEMPTS, SESSIONS, EMAILS):
        op.execute(script)


def downgrade() -> None:
    op.execute(
        "DROP TABLE email_confirmations; ALTER TABLE users DROP COLUMN email_confirmed_at; "
        "ALTER TABLE sessions DROP COLUMN network, DROP COLUMN refreshed_at; DROP TABLE password_attempts;"
    )

"""Unsigned callbacks are counted by room, and tokens of callback URLs are stored as digests."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ROOMS = """
ALTER TABLE provider_events ADD COLUMN room text;
CREATE INDEX provider_events_room_id ON provider_events (room, id) WHERE room IS NOT NULL;
DROP FUNCTION IF EXISTS callback_owner(text, text);
"""

_DIGEST = "'sha256:' || encode(sha256(convert_to({}, 'UTF8')), 'hex')"
_CLEAR = "NOT starts_with({}, 'sha256:')"

# An operation that is open keeps its token, which its URL is written from; it has none of a key of ENCRYPTION_KEY.
DIGESTS = f"""
UPDATE provider_accounts SET callback_token = {_DIGEST.format("callback_token")} WHERE {_CLEAR.format("callback_token")};
UPDATE payment_attempts SET callback_token = {_DIGEST.format("callback_token")}
  WHERE {_CLEAR.format("callback_token")} AND state NOT IN ('created', 'sending', 'unknown', 'pending');
UPDATE refunds SET callback_token = {_DIGEST.format("callback_token")}
  WHERE {_CLEAR.format("callback_token")} AND state NOT IN ('created', 'sending', 'unknown', 'pending');
UPDATE provider_events e SET path_token = {_DIGEST.format("path_token")},
    scope = CASE WHEN scope = 'token:' || path_token THEN 'token:' || {_DIGEST.format("path_token")} ELSE scope END
  WHERE {_CLEAR.format("path_token")}
    AND NOT EXISTS (SELECT FROM payment_attempts a WHERE a.callback_token = e.path_token)
    AND NOT EXISTS (SELECT FROM refunds r WHERE r.callback_token = e.path_token);
"""


def upgrade() -> None:
    op.execute(ROOMS)
    op.execute(DIGESTS)


def downgrade() -> None:
    raise RuntimeError("Digests are not undone: restore a backup taken before this migration.")

"""Unsigned callbacks are counted: each belongs to the room of the attempt it names, or to its provider's."""

from alembic import op

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE provider_events ADD COLUMN room text; "
        "CREATE INDEX provider_events_room_id ON provider_events (room, id) WHERE room IS NOT NULL;"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE provider_events DROP COLUMN room;")

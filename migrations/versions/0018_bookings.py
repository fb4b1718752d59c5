"""Listings, bookings and the nights they keep."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

BOOKINGS = """
CREATE TABLE listings (
  id uuid PRIMARY KEY, tenant_id uuid NOT NULL, title text NOT NULL, description text, location text NOT NULL,
  price_per_night bigint NOT NULL CHECK (price_per_night > 0), currency char(3) NOT NULL,
  max_guests integer NOT NULL CHECK (max_guests > 0), created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,
  withdrawn_at timestamptz);
CREATE INDEX listings_created_at_id ON listings (created_at, id) WHERE withdrawn_at IS NULL;
CREATE TABLE bookings (
  id uuid PRIMARY KEY, tenant_id uuid NOT NULL, listing_id uuid NOT NULL, check_in date NOT NULL, check_out date NOT NULL,
  guests integer NOT NULL CHECK (guests > 0), held_until timestamptz, released_at timestamptz, verified_at timestamptz,
  created_at timestamptz NOT NULL, CHECK (check_out > check_in));
CREATE INDEX bookings_tenant_id_created_at_id ON bookings (tenant_id, created_at, id);
CREATE TABLE reserved_nights (
  listing_id uuid NOT NULL, night date NOT NULL, booking_id uuid NOT NULL, PRIMARY KEY (listing_id, night));
CREATE INDEX reserved_nights_booking_id ON reserved_nights (booking_id);
GRANT SELECT, INSERT, UPDATE ON listings, bookings TO malipo_app;
GRANT SELECT, INSERT, DELETE ON reserved_nights TO malipo_app;
"""


def upgrade() -> None:
    op.execute(BOOKINGS)


def downgrade() -> None:
    op.execute("DELETE FROM jobs WHERE kind = 'booking.confirm'")
    op.execute("DROP TABLE reserved_nights, bookings, listings")

"""Collected money has its currency, and a payment keeps what its merchant asked for beside what an operator accepted; a name
of the glossary."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLLECTED = """
ALTER TABLE payment_attempts ADD COLUMN collected_currency char(3);
-- The ledger has posted what was collected in the currency it was collected in.
UPDATE payment_attempts a SET collected_currency = e.currency FROM entries e
  WHERE e.ref_id = a.id AND e.kind IN ('payment', 'suspense') AND a.collected IS NOT NULL;
UPDATE payment_attempts a SET collected_currency = p.currency FROM payments p
  WHERE p.id = a.payment_id AND a.collected IS NOT NULL AND a.collected_currency IS NULL;
ALTER TABLE payment_attempts ADD CHECK ((collected IS NULL) = (collected_currency IS NULL));
"""

REQUESTED = """
ALTER TABLE payments ADD COLUMN requested_amount bigint, ADD COLUMN requested_currency char(3);
UPDATE payments SET requested_amount = amount, requested_currency = currency;
-- The amount of accepted money replaced the requested one, which is in the payment's first event.
UPDATE payments p SET requested_amount = (f.data ->> 'amount_minor')::bigint, requested_currency = f.data ->> 'currency'
  FROM (SELECT object_id, data FROM events WHERE type = 'payment.initiated'
        UNION ALL SELECT object_id, data FROM outbox WHERE type = 'payment.initiated') f
  WHERE f.object_id = p.id::text AND EXISTS (
    SELECT FROM payment_attempts a JOIN entries e ON e.ref_id = a.id AND e.kind = 'suspense_release'
    WHERE a.payment_id = p.id);
ALTER TABLE payments ALTER COLUMN requested_amount SET NOT NULL, ALTER COLUMN requested_currency SET NOT NULL,
  ADD CHECK (requested_amount > 0);
"""


def upgrade() -> None:
    op.execute(COLLECTED)
    op.execute(REQUESTED)
    op.execute("UPDATE provider_events SET scope = 'platform' WHERE scope = 'house'")


def downgrade() -> None:
    op.execute("UPDATE provider_events SET scope = 'house' WHERE scope = 'platform'")
    op.execute("ALTER TABLE payments DROP COLUMN requested_amount, DROP COLUMN requested_currency;")
    op.execute("ALTER TABLE payment_attempts DROP COLUMN collected_currency;")

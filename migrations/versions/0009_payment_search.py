"""Indexes for the filters of the list of payments: phone, e-mail, amount, metadata, references, receipt."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INDEXES = """
CREATE INDEX payments_tenant_id_amount_id ON payments (tenant_id, amount, id);
CREATE INDEX payments_customer_phone_id ON payments (customer_phone, id);
CREATE INDEX payments_customer_email_id ON payments (lower(customer_email), id);
CREATE INDEX payments_idempotency_key ON payments (idempotency_key);
CREATE INDEX payments_metadata ON payments USING gin (metadata jsonb_path_ops);
CREATE INDEX payment_attempts_any_short_reference ON payment_attempts (short_reference);
CREATE INDEX payment_attempts_any_provider_reference ON payment_attempts (provider_reference);
CREATE INDEX payment_attempts_any_receipt ON payment_attempts (receipt);
"""


def upgrade() -> None:
    op.execute(INDEXES)


def downgrade() -> None:
    op.execute(
        "DROP INDEX payment_attempts_any_receipt; DROP INDEX payment_attempts_any_provider_reference; "
        "DROP INDEX payment_attempts_any_short_reference; DROP INDEX payments_metadata; "
        "DROP INDEX payments_idempotency_key; DROP INDEX payments_customer_email_id; "
        "DROP INDEX payments_customer_phone_id; DROP INDEX payments_tenant_id_amount_id;"
    )

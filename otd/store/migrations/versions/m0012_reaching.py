"""Which relay reaches which endpoint."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reaching",
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("relay", sa.String(64), nullable=False),
        sa.Column("reached_at", sa.BigInteger),
        sa.Column("missed_at", sa.BigInteger),
        sa.Column("why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "relay", name="reaching_pk"),
        sa.ForeignKeyConstraint(["endpoint"], ["endpoints.name"], name="reaching_endpoint_fk", ondelete="CASCADE"),
    )

"""Alerts, their outbox, what runs out, and a summary of bookings that can be looked at without opening a list."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("parts", sa.Column("summary", sa.Text, nullable=False, server_default="[]"))
    op.create_table(
        "alerts",
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("thing", sa.String(128), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("mend", sa.Text, nullable=False),
        sa.Column("raised_at", sa.BigInteger, nullable=False),
        sa.Column("cleared_at", sa.BigInteger),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("cause", "thing", name="alerts_pk"),
    )
    op.create_index("alerts_cleared_at", "alerts", ["cleared_at"])
    op.create_table(
        "notices",
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("notice", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("channel", "id", name="notices_pk"),
    )
    op.create_table(
        "expiries",
        sa.Column("cause", sa.String(64), nullable=False),
        sa.Column("thing", sa.String(128), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("cause", "thing", name="expiries_pk"),
    )

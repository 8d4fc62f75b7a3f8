"""Rooms whose changes Exchange Online tells of."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("room", sa.String(64), nullable=False),
        sa.Column("id", sa.String(128), nullable=False),
        sa.Column("client_state", sa.LargeBinary, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("renew", sa.Boolean, nullable=False),
        sa.Column("hinted_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room", name="subscriptions_pk"),
        sa.ForeignKeyConstraint(["room"], ["rooms.name"], name="subscriptions_room_fk", ondelete="CASCADE"),
    )
    op.create_index("subscriptions_id", "subscriptions", ["id"])

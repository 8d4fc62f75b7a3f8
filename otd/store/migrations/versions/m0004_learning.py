"""What receipts teach of endpoints beside their lists, and how pools were cut over."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "learned",
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("facts", sa.LargeBinary),
        sa.Column("overwrites", sa.Integer, nullable=False),
        sa.Column("found", sa.String(32), nullable=False),
        sa.Column("found_at", sa.BigInteger),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("credential", sa.String(64), nullable=False),
        sa.Column("refused_at", sa.BigInteger),
        sa.Column("accepted_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("endpoint", name="learned_pk"),
        sa.ForeignKeyConstraint(["endpoint"], ["endpoints.name"], name="learned_endpoint_fk", ondelete="CASCADE"),
    )
    op.create_table(
        "modes",
        sa.Column("pool", sa.String(128), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("pool", name="modes_pk"),
    )

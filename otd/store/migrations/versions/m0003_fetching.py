"""Endpoints that fetch their lists: what relays hold for them, what they were given, their logins."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "placements",
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("relay", sa.String(64), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger),
        sa.Column("sent_revision", sa.BigInteger, nullable=False),
        sa.Column("sent_at", sa.BigInteger),
        sa.PrimaryKeyConstraint("endpoint", "relay", name="placements_pk"),
        sa.ForeignKeyConstraint(["endpoint"], ["endpoints.name"], name="placements_endpoint_fk", ondelete="CASCADE"),
    )
    op.create_table(
        "fetches",
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("relay", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", name="fetches_pk"),
        sa.ForeignKeyConstraint(["endpoint"], ["endpoints.name"], name="fetches_endpoint_fk", ondelete="CASCADE"),
    )
    op.create_table(
        "logins",
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("password_hash", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("endpoint", name="logins_pk"),
        sa.ForeignKeyConstraint(["endpoint"], ["endpoints.name"], name="logins_endpoint_fk", ondelete="CASCADE"),
    )

"""Relays whose identity two processes have."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("relays", sa.Column("clone_started_at", sa.BigInteger))
    op.add_column("relays", sa.Column("clone_seen", sa.BigInteger))

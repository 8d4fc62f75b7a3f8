"""Relays that saw an endpoint differently."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("learned", sa.Column("confirmed_by", sa.String(64)))
    op.add_column("learned", sa.Column("disputed_by", sa.String(130)))
    op.add_column("learned", sa.Column("disputed_at", sa.BigInteger))
    op.add_column("learned", sa.Column("disputed_sequence", sa.BigInteger))

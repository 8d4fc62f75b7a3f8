"""The certificates by which endpoints are known."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("learned", sa.Column("pin", sa.String(71)))
    op.add_column("learned", sa.Column("unpinned_sequence", sa.BigInteger))

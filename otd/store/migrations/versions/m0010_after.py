"""When a room was read before the reading that changed a list: from then on its change may have waited."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("endpoints", sa.Column("desired_after", sa.BigInteger))

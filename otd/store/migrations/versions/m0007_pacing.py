"""Lanes whose cap finds its size, and how many requests were made of a calendar's budget."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("first", "most", "good", "bad", "day"):
        op.add_column("lanes", sa.Column(name, sa.Integer, nullable=False, server_default="0"))
    for name in ("asked", "budget"):
        op.add_column("lanes", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))

"""Work that asks its lane nothing more makes room in it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("work", sa.Column("asks", sa.Boolean, nullable=False, server_default=sa.true()))

"""What people at a terminal ask of endpoints."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "questions",
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("anew", sa.Boolean, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("sequence", sa.BigInteger),
        sa.Column("receipt", sa.LargeBinary),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "key", name="questions_pk"),
        sa.ForeignKeyConstraint(["endpoint"], ["endpoints.name"], name="questions_endpoint_fk", ondelete="CASCADE"),
    )

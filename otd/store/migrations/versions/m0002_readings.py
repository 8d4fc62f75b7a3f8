"""Readings kept for replay, and the brake: rooms that went empty, what is held, the rules in force."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contents",
        sa.Column("room", sa.String(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(16), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("used_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room", "digest", name="contents_pk"),
    )
    op.create_index("contents_used_at", "contents", ["used_at"])
    op.create_table(
        "readings",
        sa.Column("room", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("meetings", sa.LargeBinary, nullable=False),
        sa.Column("window_start", sa.BigInteger, nullable=False),
        sa.Column("window_end", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("room", "at", name="readings_pk"),
    )
    op.create_index("readings_at", "readings", ["at"])
    op.create_table(
        "emptied",
        sa.Column("room", sa.String(64), nullable=False),
        sa.Column("calendar", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
        sa.Column("before", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("room", name="emptied_pk"),
        sa.ForeignKeyConstraint(["room"], ["rooms.name"], name="emptied_room_fk", ondelete="CASCADE"),
    )
    op.create_index("emptied_calendar", "emptied", ["calendar"])
    op.create_table(
        "brakes",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("since", sa.BigInteger),
        sa.Column("things", sa.Integer, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("open_until", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="brakes_pk"),
    )
    op.create_table(
        "rulings",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("frozen", sa.Boolean, nullable=False),
        sa.Column("ruling", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="rulings_pk"),
    )
    op.create_index("rulings_state", "rulings", ["state"])

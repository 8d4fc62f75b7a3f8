"""The ground: work and lanes, rooms, endpoints and their parts, relays."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "meta",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("name", name="meta_pk"),
    )
    op.create_table(
        "lanes",
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("cap", sa.Integer, nullable=False),
        sa.Column("paused_until", sa.BigInteger, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="lanes_pk"),
    )
    op.create_table(
        "work",
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("lane", sa.String(128), nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("again", sa.BigInteger),
        sa.Column("owner", sa.String(200), nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("lease", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("parked", sa.Boolean, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("mend", sa.Text, nullable=False),
        sa.Column("failing_since", sa.BigInteger),
        sa.PrimaryKeyConstraint("key", name="work_pk"),
        sa.ForeignKeyConstraint(["lane"], ["lanes.name"], name="work_lane_fk"),
    )
    op.create_index("work_due", "work", ["due", "key"])
    op.create_index("work_lane_due", "work", ["lane", "due"])
    op.create_index("work_lane_lease", "work", ["lane", "lease_until"])
    op.create_table(
        "rooms",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("room", sa.Text, nullable=False),
        sa.Column("read_at", sa.BigInteger),
        sa.Column("meetings", sa.Integer, nullable=False),
        sa.Column("problems", sa.LargeBinary),
        sa.Column("failing_since", sa.BigInteger),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("mend", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="rooms_pk"),
    )
    op.create_table(
        "endpoints",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("endpoint", sa.LargeBinary, nullable=False),
        sa.Column("removed", sa.Boolean, nullable=False),
        sa.Column("leaving", sa.LargeBinary),
        sa.Column("leaving_since", sa.BigInteger),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.String(128), nullable=False),
        sa.Column("desired", sa.LargeBinary),
        sa.Column("desired_since", sa.BigInteger),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("sent_verb", sa.String(16), nullable=False),
        sa.Column("sent_revision", sa.BigInteger, nullable=False),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("sent_relay", sa.String(64), nullable=False),
        sa.Column("confirmed_revision", sa.BigInteger, nullable=False),
        sa.Column("confirmed_at", sa.BigInteger),
        sa.Column("applied_revision", sa.BigInteger, nullable=False),
        sa.Column("applied_sequence", sa.BigInteger, nullable=False),
        sa.Column("applied_counter", sa.BigInteger, nullable=False),
        sa.Column("receipt", sa.LargeBinary),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("difference", sa.String(64), nullable=False),
        sa.Column("same_difference", sa.Integer, nullable=False),
        sa.Column("failing_since", sa.BigInteger),
        sa.Column("unreachable_from", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="endpoints_pk"),
    )
    op.create_table(
        "parts",
        sa.Column("endpoint", sa.String(64), nullable=False),
        sa.Column("room", sa.String(64), nullable=False),
        sa.Column("bookings", sa.LargeBinary),
        sa.Column("starts", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "room", name="parts_pk"),
        sa.ForeignKeyConstraint(["endpoint"], ["endpoints.name"], name="parts_endpoint_fk", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["room"], ["rooms.name"], name="parts_room_fk", ondelete="CASCADE"),
    )
    op.create_index("parts_room", "parts", ["room"])
    op.create_table(
        "relays",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("pool", sa.String(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("last_seen", sa.BigInteger, nullable=False),
        sa.Column("leaving", sa.Boolean, nullable=False),
        sa.Column("clock_offset", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="relays_pk"),
    )

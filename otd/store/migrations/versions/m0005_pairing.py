"""Relays that ask to be let in, and those that were."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pairings",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("commitment", sa.LargeBinary, nullable=False),
        sa.Column("administrator", sa.String(128), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("pool", sa.String(64), nullable=False),
        sa.Column("centre_nonce", sa.LargeBinary),
        sa.Column("relay_nonce", sa.LargeBinary),
        sa.Column("signing_key", sa.String(64)),
        sa.Column("sealing_key", sa.String(64)),
        sa.Column("challenge", sa.LargeBinary),
        sa.PrimaryKeyConstraint("id", name="pairings_pk"),
        sa.UniqueConstraint("code", name="pairings_code_uq"),
    )
    op.create_index("pairings_expires_at", "pairings", ["expires_at"])
    op.create_index("pairings_address", "pairings", ["address"])
    op.create_table(
        "wrong_codes",
        sa.Column("administrator", sa.String(128), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("administrator", name="wrong_codes_pk"),
    )
    op.create_table(
        "members",
        sa.Column("relay", sa.String(64), nullable=False),
        sa.Column("pool", sa.String(64), nullable=False),
        sa.Column("signing_key", sa.String(64), nullable=False),
        sa.Column("sealing_key", sa.String(64), nullable=False),
        sa.Column("admitted_at", sa.BigInteger, nullable=False),
        sa.Column("admitted_by", sa.String(128), nullable=False),
        sa.Column("by_hand", sa.Boolean, nullable=False),
        sa.Column("wanted_at", sa.BigInteger),
        sa.Column("password_at", sa.BigInteger),
        sa.Column("identity", sa.LargeBinary),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("removed_at", sa.BigInteger),
        sa.Column("maintenance", sa.Boolean, nullable=False),
        sa.Column("maintenance_why", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("relay", name="members_pk"),
    )

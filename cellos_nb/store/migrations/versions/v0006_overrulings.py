"""Plates that a person lets count although they failed quality control."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds one table, empty for all that there is."""
    op.create_table(
        "overrulings",
        sa.Column("overruling_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("plate_id", sa.Text(), nullable=False),
        sa.Column("from_iteration", sa.Integer(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(), nullable=False),
        sa.Column("withdrawn_from", sa.Integer(), nullable=True),
        sa.Column("withdrawn_by", sa.Text(), nullable=True),
        sa.Column("withdrawn_reason", sa.Text(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.campaign_id"], name=op.f("fk_overrulings_campaign_id_campaigns")
        ),
        sa.PrimaryKeyConstraint("overruling_id", name=op.f("pk_overrulings")),
    )
    op.create_index("ix_overrulings_campaign_id", "overrulings", ["campaign_id"], unique=False)

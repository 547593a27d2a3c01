"""Campaigns that are stopped, rolled back and forked, and what each planner knew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds columns that are empty for all that there is, and two tables."""
    op.add_column("campaigns", sa.Column("parent_id", sa.Text(), nullable=True))
    op.add_column("campaigns", sa.Column("parent_iteration", sa.Integer(), nullable=True))
    op.add_column("campaigns", sa.Column("stop_request", sa.Text(), nullable=True))
    op.add_column("iterations", sa.Column("superseded_from", sa.Integer(), nullable=True))
    op.add_column("iterations", sa.Column("superseded_at", sa.DateTime(), nullable=True))
    op.add_column("iterations", sa.Column("superseded_by", sa.Text(), nullable=True))
    op.add_column("iterations", sa.Column("superseded_reason", sa.Text(), nullable=True))
    op.create_index(
        "ix_iterations_begun",
        "iterations",
        ["campaign_id", "iteration"],
        sqlite_where=sa.text("concluded_at IS NULL"),
        postgresql_where=sa.text("concluded_at IS NULL"),
    )
    op.create_table(
        "inherited_iterations",
        sa.Column("campaign_id", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.campaign_id"], name=op.f("fk_inherited_iterations_campaign_id_campaigns")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["iterations.batch_id"], name=op.f("fk_inherited_iterations_batch_id_iterations")
        ),
        sa.PrimaryKeyConstraint("campaign_id", "batch_id", name=op.f("pk_inherited_iterations")),
    )
    op.create_table(
        "model_states",
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["iterations.batch_id"], name=op.f("fk_model_states_batch_id_iterations")
        ),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_model_states")),
    )

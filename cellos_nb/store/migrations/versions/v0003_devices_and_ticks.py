"""What an action needs, which devices an open step holds, and the ledger of the daemon's ticks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds columns and the ledger; what is queued needs nothing by name and is executed as before."""
    op.execute("UPDATE actions SET kind = 'experiment' WHERE kind = 'workflow'")
    op.add_column("actions", sa.Column("resources", sa.Text(), nullable=False, server_default=""))
    op.drop_index("ix_actions_waiting", table_name="actions")
    op.drop_index("ix_actions_status", table_name="actions")
    op.create_index("ix_actions_by_status", "actions", ["status", sa.text("priority DESC"), "action_id"], unique=False)
    waiting = sa.text("status = 'queued'")
    op.create_index(
        "ix_actions_waiting_for",
        "actions",
        ["resources", sa.text("priority DESC"), "action_id"],
        unique=False,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.add_column("steps", sa.Column("devices", sa.Text(), nullable=False, server_default=""))
    op.add_column("steps", sa.Column("transfers_done", sa.Integer(), nullable=True))
    is_open = sa.text("status IN ('started', 'in_doubt')")
    op.create_index(
        "ix_steps_open", "steps", ["run_id", "devices"], unique=False, sqlite_where=is_open, postgresql_where=is_open
    )
    op.create_table(
        "tick_ledger",
        sa.Column("tick_id", sa.Integer(), nullable=False),
        sa.Column("fencing", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("attempted", sa.Integer(), nullable=False),
        sa.Column("succeeded", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tick_id", name=op.f("pk_tick_ledger")),
    )

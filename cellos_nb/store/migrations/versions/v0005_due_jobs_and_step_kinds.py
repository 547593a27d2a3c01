"""Claims that do not look through what is for later, and the kind of each step in the journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Puts three partial indices in the place of one, and adds a column that stays empty for what was done before."""
    op.add_column("steps", sa.Column("kind", sa.Text(), nullable=False, server_default=""))
    op.drop_index("ix_actions_waiting_for", table_name="actions")
    priority = sa.text("priority DESC")
    due = sa.text("status = 'queued' AND not_before IS NULL")
    for name, column in (("ix_actions_due_of_kind", "kind"), ("ix_actions_due_for", "resources")):
        op.create_index(
            name, "actions", [column, priority, "action_id"], unique=False, sqlite_where=due, postgresql_where=due
        )
    later = sa.text("status = 'queued' AND not_before IS NOT NULL")
    columns = ["status", "not_before"]
    op.create_index("ix_actions_later", "actions", columns, unique=False, sqlite_where=later, postgresql_where=later)

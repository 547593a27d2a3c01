"""Proofs of workflows, and approvals that name the proof which the person saw."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the proofs; approvals are kept, but those of the first form name no proof and so count for nothing."""
    op.create_table(
        "proofs",
        sa.Column("manifest_sha256", sa.Text(), nullable=False),
        sa.Column("workflow_sha256", sa.Text(), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("plate_id", sa.Text(), nullable=False),
        sa.Column("proved_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("manifest_sha256", name=op.f("pk_proofs")),
    )
    op.create_index(op.f("ix_proofs_workflow_sha256"), "proofs", ["workflow_sha256"], unique=False)
    # Made anew, because SQLite cannot add a foreign key to a table that exists.
    op.execute("CREATE TABLE approvals_kept AS SELECT * FROM approvals")
    op.drop_table("approvals")
    op.create_table(
        "approvals",
        sa.Column("approval_id", sa.Integer(), nullable=False),
        sa.Column("workflow_sha256", sa.Text(), nullable=False),
        sa.Column("manifest_sha256", sa.Text(), nullable=True),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("approved_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["manifest_sha256"], ["proofs.manifest_sha256"], name=op.f("fk_approvals_manifest_sha256_proofs")
        ),
        sa.PrimaryKeyConstraint("approval_id", name=op.f("pk_approvals")),
    )
    op.create_index(op.f("ix_approvals_workflow_sha256"), "approvals", ["workflow_sha256"], unique=False)
    op.execute(
        "INSERT INTO approvals (workflow_sha256, machine, person, approved_at, expires_at) "
        "SELECT workflow_sha256, machine, person, approved_at, expires_at FROM approvals_kept ORDER BY approval_id"
    )
    op.drop_table("approvals_kept")

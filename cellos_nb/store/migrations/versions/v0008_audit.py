"""The audit log, a chain of entries that is only added to; approvals that a person takes back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SQLITE = (
    *(
        f"CREATE TRIGGER audit_log_no_{verb} BEFORE {verb.upper()} ON audit_log "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END"
        for verb in ("update", "delete")
    ),
    (
        "CREATE TRIGGER audit_log_follows BEFORE INSERT ON audit_log "
        "WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM audit_log) "
        "OR NEW.previous IS NOT coalesce((SELECT sha256 FROM audit_log ORDER BY seq DESC LIMIT 1), "
        "'0000000000000000000000000000000000000000000000000000000000000000') "
        "BEGIN SELECT RAISE(ABORT, 'an entry of the audit log follows the last one'); END"
    ),
)
POSTGRESQL = (
    (
        "CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is only added to'; END $$"
    ),
    (
        "CREATE TRIGGER audit_log_no_edit BEFORE UPDATE OR DELETE ON audit_log "
        "FOR EACH ROW EXECUTE FUNCTION audit_log_refuse()"
    ),
    (
        "CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse()"
    ),
    (
        "CREATE FUNCTION audit_log_follow() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN IF NEW.seq IS DISTINCT FROM (SELECT coalesce(max(seq), 0) + 1 FROM audit_log) "
        "OR NEW.previous IS DISTINCT FROM "
        "coalesce((SELECT sha256 FROM audit_log ORDER BY seq DESC LIMIT 1), "
        "'0000000000000000000000000000000000000000000000000000000000000000') "
        "THEN RAISE EXCEPTION 'an entry of the audit log follows the last one'; END IF; RETURN NEW; END $$"
    ),
    ("CREATE TRIGGER audit_log_follows BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_log_follow()"),
)


def upgrade() -> None:
    """Adds the log, empty; the store writes what was decided before as its first entries. No approval is taken back."""
    op.create_table(
        "audit_log",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_log")),
        sa.UniqueConstraint("previous", name=op.f("uq_audit_log_previous")),
        sa.UniqueConstraint("sha256", name=op.f("uq_audit_log_sha256")),
    )
    op.create_index("ix_audit_log_of", "audit_log", ["subject", "seq"], unique=False)
    for guard in POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(guard)
    op.add_column("approvals", sa.Column("withdrawn_at", sa.DateTime(), nullable=True))
    op.add_column("approvals", sa.Column("withdrawn_by", sa.Text(), nullable=True))
    op.add_column("approvals", sa.Column("withdrawn_reason", sa.Text(), nullable=True))

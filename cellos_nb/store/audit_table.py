"""The table of the audit log, which the database itself keeps from being edited."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Connection, Index, Table, Text, event

from cellos_nb.store.stock_tables import metadata

__all__ = ["audit_log", "metadata"]

audit_log = Table(
    "audit_log",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),  # UTC as text: it has to read back as it was hashed
    Column("who", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("previous", Text, nullable=False, unique=True),  # so that no two entries ever follow the same one
    Column("sha256", Text, nullable=False, unique=True),
)
Index("ix_audit_log_of", audit_log.c.subject, audit_log.c.seq)

SQLITE_GUARDS = (
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
POSTGRESQL_GUARDS = (
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


@event.listens_for(audit_log, "after_create")
def _guard(_: Table, connection: Connection, **__: Any) -> None:
    """Has the database itself refuse to change, remove or put in an entry."""
    for guard in POSTGRESQL_GUARDS if connection.dialect.name == "postgresql" else SQLITE_GUARDS:
        connection.exec_driver_sql(guard)

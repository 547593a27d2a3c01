"""The tables of the stock: resources, lots, what runs will take of them, and every change there ever was."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

from cellos_nb.store.schema import UtcTime, metadata

__all__ = ["claims", "lots", "metadata", "resources", "run_costs", "transactions"]

resources = Table(
    "resources",
    metadata,
    Column("resource_id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("serves", Text, nullable=False, index=True),  # what it is taken for in a workflow
    Column("unit", Text, nullable=False),
    Column("pack_size", BigInteger, nullable=False),  # in the smallest units, as all quantities here
    Column("pack_price_micro_usd", BigInteger, nullable=False),
    Column("price_as_of", Date, nullable=False),
    Column("price_source", Text, nullable=False),
    Column("vendor", Text, nullable=False),
    Column("catalogue_number", Text, nullable=False),
    Column("used_as", Text, nullable=False),
    Column("reorder_point", BigInteger),
    Column("lead_time_days", Integer),
    Column("n_wells", Integer),
    Column("plate_use", Text, nullable=False),
    Column("stock_mm", Float),
    Column("solvent", Text),
    Column("max_freeze_thaws", Integer),
    Column("max_passage", Integer),
    Column("declared_at", UtcTime, nullable=False),
    Column("declared_by", Text, nullable=False),
)

lots = Table(
    "lots",
    metadata,
    Column("lot_id", Integer, primary_key=True),
    Column("resource_id", Integer, ForeignKey("resources.resource_id"), nullable=False),
    Column("lot_number", Text, nullable=False),
    Column("received", BigInteger, nullable=False),  # as delivered; what there is now stands in the last transaction
    Column("price_micro_usd", BigInteger, nullable=False),  # of all that was delivered
    Column("price_source", Text, nullable=False),
    Column("price_as_of", Date, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("location", Text, nullable=False),
    Column("barcode", Text, unique=True),
    Column("passage", Integer),
    UniqueConstraint("resource_id", "lot_number"),
)

claims = Table(
    "claims",  # what a step of a run takes of which lot
    metadata,
    Column("claim_id", Integer, primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.run_id"), nullable=False, index=True),
    Column("step_uid", Text, nullable=False),
    Column("serves", Text, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("after_h", Float, nullable=False),  # hours of incubation before the step
    Column("occasion", Text, nullable=False),  # what is thawed together: the batch
    Column("lot_id", Integer, ForeignKey("lots.lot_id")),  # null: its lot is gone, another one is to be found
    Column("closed_at", UtcTime),  # nothing more will be taken
)
# Few, however many runs there ever were.
_OPEN = text("closed_at IS NULL")
Index("ix_claims_open", claims.c.run_id, claims.c.step_uid, sqlite_where=_OPEN, postgresql_where=_OPEN)
Index("ix_claims_of_lot", claims.c.lot_id, sqlite_where=_OPEN, postgresql_where=_OPEN)

transactions = Table(
    "transactions",  # rows are added and never changed; each has the balance of its lot after it
    metadata,
    Column("transaction_id", Integer, primary_key=True),
    Column("lot_id", Integer, ForeignKey("lots.lot_id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("on_hand", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    Column("uncertain", BigInteger, nullable=False),
    Column("freeze_thaws", Integer, nullable=False),
    Column("value_micro_usd", BigInteger, nullable=False),
    Column("on_hand_after", BigInteger, nullable=False),
    Column("reserved_after", BigInteger, nullable=False),
    Column("uncertain_after", BigInteger, nullable=False),
    Column("freeze_thaws_after", Integer, nullable=False),
    Column("claim_id", Integer, ForeignKey("claims.claim_id"), index=True),
    Column("key", Text, unique=True),  # the same booking is not made twice; null: a person's, who may repeat one
    Column("person", Text, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("on_hand_after >= 0", name="stock_is_never_negative"),
    CheckConstraint("reserved_after >= 0 AND reserved_after <= on_hand_after", name="reserved_is_on_hand"),
    CheckConstraint("uncertain_after >= 0 AND uncertain_after <= reserved_after", name="uncertain_is_reserved"),
)
Index("ix_transactions_of_lot", transactions.c.lot_id, transactions.c.transaction_id)

run_costs = Table(
    "run_costs",  # of runs that were submitted while something was kept in stock
    metadata,
    Column("run_id", Integer, ForeignKey("runs.run_id"), primary_key=True),
    Column("predicted_micro_usd", BigInteger, nullable=False),
    Column("other_micro_usd", BigInteger, nullable=False),  # of it: what is not kept in stock, and machine time
    Column("prices_as_of", Date, nullable=False),  # of that part
    Column("prices_source", Text, nullable=False),
)

SQLITE_GUARDS = tuple(
    f"CREATE TRIGGER transactions_no_{verb} BEFORE {verb.upper()} ON transactions "
    "BEGIN SELECT RAISE(ABORT, 'a transaction is never edited; book another one'); END"
    for verb in ("update", "delete")
)
POSTGRESQL_GUARDS = (
    (
        "CREATE FUNCTION transactions_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'a transaction is never edited; book another one'; END $$"
    ),
    (
        "CREATE TRIGGER transactions_no_edit BEFORE UPDATE OR DELETE ON transactions "
        "FOR EACH ROW EXECUTE FUNCTION transactions_refuse()"
    ),
)


@event.listens_for(transactions, "after_create")
def _guard(_: Table, connection: Connection, **__: Any) -> None:
    """Has the database itself refuse to change or remove a transaction."""
    for guard in POSTGRESQL_GUARDS if connection.dialect.name == "postgresql" else SQLITE_GUARDS:
        connection.exec_driver_sql(guard)

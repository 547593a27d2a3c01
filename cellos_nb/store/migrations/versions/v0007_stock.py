"""The stock: resources, lots, what runs will take of them, and a ledger that is only added to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SQLITE = tuple(
    f"CREATE TRIGGER transactions_no_{verb} BEFORE {verb.upper()} ON transactions "
    "BEGIN SELECT RAISE(ABORT, 'a transaction is never edited; book another one'); END"
    for verb in ("update", "delete")
)
POSTGRESQL = (
    (
        "CREATE FUNCTION transactions_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'a transaction is never edited; book another one'; END $$"
    ),
    (
        "CREATE TRIGGER transactions_no_edit BEFORE UPDATE OR DELETE ON transactions "
        "FOR EACH ROW EXECUTE FUNCTION transactions_refuse()"
    ),
)


def upgrade() -> None:
    """Adds five tables, empty for all that there is: nothing is kept in stock until a resource is declared."""
    op.create_table(
        "resources",
        sa.Column("resource_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("serves", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("pack_size", sa.BigInteger(), nullable=False),
        sa.Column("pack_price_micro_usd", sa.BigInteger(), nullable=False),
        sa.Column("price_as_of", sa.Date(), nullable=False),
        sa.Column("price_source", sa.Text(), nullable=False),
        sa.Column("vendor", sa.Text(), nullable=False),
        sa.Column("catalogue_number", sa.Text(), nullable=False),
        sa.Column("used_as", sa.Text(), nullable=False),
        sa.Column("reorder_point", sa.BigInteger(), nullable=True),
        sa.Column("lead_time_days", sa.Integer(), nullable=True),
        sa.Column("n_wells", sa.Integer(), nullable=True),
        sa.Column("plate_use", sa.Text(), nullable=False),
        sa.Column("stock_mm", sa.Float(), nullable=True),
        sa.Column("solvent", sa.Text(), nullable=True),
        sa.Column("max_freeze_thaws", sa.Integer(), nullable=True),
        sa.Column("max_passage", sa.Integer(), nullable=True),
        sa.Column("declared_at", sa.DateTime(), nullable=False),
        sa.Column("declared_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("resource_id", name=op.f("pk_resources")),
        sa.UniqueConstraint("name", name=op.f("uq_resources_name")),
    )
    op.create_index(op.f("ix_resources_serves"), "resources", ["serves"], unique=False)
    op.create_table(
        "lots",
        sa.Column("lot_id", sa.Integer(), nullable=False),
        sa.Column("resource_id", sa.Integer(), nullable=False),
        sa.Column("lot_number", sa.Text(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("price_micro_usd", sa.BigInteger(), nullable=False),
        sa.Column("price_source", sa.Text(), nullable=False),
        sa.Column("price_as_of", sa.Date(), nullable=False),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("barcode", sa.Text(), nullable=True),
        sa.Column("passage", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["resource_id"], ["resources.resource_id"], name=op.f("fk_lots_resource_id_resources")),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_lots")),
        sa.UniqueConstraint("barcode", name=op.f("uq_lots_barcode")),
        sa.UniqueConstraint("resource_id", "lot_number", name=op.f("uq_lots_resource_id_lot_number")),
    )
    op.create_table(
        "claims",
        sa.Column("claim_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("step_uid", sa.Text(), nullable=False),
        sa.Column("serves", sa.Text(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("after_h", sa.Float(), nullable=False),
        sa.Column("occasion", sa.Text(), nullable=False),
        sa.Column("lot_id", sa.Integer(), nullable=True),
        sa.Column("closed_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.lot_id"], name=op.f("fk_claims_lot_id_lots")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_claims_run_id_runs")),
        sa.PrimaryKeyConstraint("claim_id", name=op.f("pk_claims")),
    )
    op.create_index(
        "ix_claims_of_lot",
        "claims",
        ["lot_id"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_claims_open",
        "claims",
        ["run_id", "step_uid"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(op.f("ix_claims_run_id"), "claims", ["run_id"], unique=False)
    op.create_table(
        "run_costs",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("predicted_micro_usd", sa.BigInteger(), nullable=False),
        sa.Column("other_micro_usd", sa.BigInteger(), nullable=False),
        sa.Column("prices_as_of", sa.Date(), nullable=False),
        sa.Column("prices_source", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_run_costs_run_id_runs")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_costs")),
    )
    op.create_table(
        "transactions",
        sa.Column("transaction_id", sa.Integer(), nullable=False),
        sa.Column("lot_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("on_hand", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("uncertain", sa.BigInteger(), nullable=False),
        sa.Column("freeze_thaws", sa.Integer(), nullable=False),
        sa.Column("value_micro_usd", sa.BigInteger(), nullable=False),
        sa.Column("on_hand_after", sa.BigInteger(), nullable=False),
        sa.Column("reserved_after", sa.BigInteger(), nullable=False),
        sa.Column("uncertain_after", sa.BigInteger(), nullable=False),
        sa.Column("freeze_thaws_after", sa.Integer(), nullable=False),
        sa.Column("claim_id", sa.Integer(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("on_hand_after >= 0", name="stock_is_never_negative"),
        sa.CheckConstraint("reserved_after >= 0 AND reserved_after <= on_hand_after", name="reserved_is_on_hand"),
        sa.CheckConstraint("uncertain_after >= 0 AND uncertain_after <= reserved_after", name="uncertain_is_reserved"),
        sa.ForeignKeyConstraint(["claim_id"], ["claims.claim_id"], name=op.f("fk_transactions_claim_id_claims")),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.lot_id"], name=op.f("fk_transactions_lot_id_lots")),
        sa.PrimaryKeyConstraint("transaction_id", name=op.f("pk_transactions")),
        sa.UniqueConstraint("key", name=op.f("uq_transactions_key")),
    )
    op.create_index(op.f("ix_transactions_claim_id"), "transactions", ["claim_id"], unique=False)
    op.create_index("ix_transactions_of_lot", "transactions", ["lot_id", "transaction_id"], unique=False)

    for guard in POSTGRESQL if op.get_bind().dialect.name == "postgresql" else SQLITE:
        op.execute(guard)

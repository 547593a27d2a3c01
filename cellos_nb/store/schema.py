"""The tables: what a database of this software holds."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """A moment, timezone-aware UTC in Python, on SQLite text that sorts as time does."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Writes UTC; a moment without timezone is refused, since nobody could say when it was."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no timezone; the store keeps UTC.")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Reads UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


campaigns = Table(
    "campaigns",
    metadata,
    Column("campaign_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("config", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("stop_reason", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("changed_at", UtcTime, nullable=False),
    Column("parent_id", Text),  # the campaign whose results this one began with
    Column("parent_iteration", Integer),
    Column("stop_request", Text),  # why no further iteration is wanted; null: none is unwanted
)

iterations = Table(
    "iterations",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("campaign_id", Text, ForeignKey("campaigns.campaign_id")),  # null: a batch outside any campaign
    Column("iteration", Integer, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("concluded_at", UtcTime),
    Column("superseded_from", Integer),  # the first iteration that no longer sees this one; null: it counts
    Column("superseded_at", UtcTime),
    Column("superseded_by", Text),
    Column("superseded_reason", Text),
    UniqueConstraint("campaign_id", "iteration"),
)
# Only what was begun stands in this index, so that finding it costs the same after a million iterations.
Index(
    "ix_iterations_begun",
    iterations.c.campaign_id,
    iterations.c.iteration,
    sqlite_where=text("concluded_at IS NULL"),
    postgresql_where=text("concluded_at IS NULL"),
)

inherited_iterations = Table(
    "inherited_iterations",  # what counted in the parent when a campaign was forked, whatever happened to it later
    metadata,
    Column("campaign_id", Text, ForeignKey("campaigns.campaign_id"), primary_key=True),
    Column("batch_id", Text, ForeignKey("iterations.batch_id"), primary_key=True),
)

overrulings = Table(
    "overrulings",  # quarantined plates that a person lets count
    metadata,
    Column("overruling_id", Integer, primary_key=True),
    Column("campaign_id", Text, ForeignKey("campaigns.campaign_id"), nullable=False, index=True),
    Column("plate_id", Text, nullable=False),
    Column("from_iteration", Integer, nullable=False),  # the first iteration that learns from the plate
    Column("person", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_at", UtcTime, nullable=False),
    Column("withdrawn_from", Integer),  # the first iteration that no longer does; null: it counts
    Column("withdrawn_by", Text),
    Column("withdrawn_reason", Text),
    Column("withdrawn_at", UtcTime),
)

model_states = Table(
    "model_states",
    metadata,
    Column("batch_id", Text, ForeignKey("iterations.batch_id"), primary_key=True),
    Column("state", Text, nullable=False),
)

proposals = Table(
    "proposals",
    metadata,
    Column("batch_id", Text, ForeignKey("iterations.batch_id"), primary_key=True),
    Column("proposal_id", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("campaign_id", Text),  # stands here so that the next line can hold
    Column("cell_line", Text, nullable=False),
    Column("compound", Text, nullable=False),
    Column("dose_um", Float, nullable=False),
    Column("assay", Text, nullable=False),
    # the planner's reason
    Column("planner", Text),
    Column("predicted_mean", Float),
    Column("predicted_sd", Float),
    Column("acquisition", Float),
    Column("intent", Text),
    UniqueConstraint("campaign_id", "proposal_id"),
)

results = Table(
    "results",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("proposal_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("measurement", Float),
    Column("standard_error", Float),
    Column("degrees_of_freedom", Integer, nullable=False),
    Column("viability", Float),
    Column("wells", Text, nullable=False),
    Column("qc_flags", Text, nullable=False),
    Column("error", Text),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("cost_usd", Float, nullable=False),
    ForeignKeyConstraint(["batch_id", "proposal_id"], ["proposals.batch_id", "proposals.proposal_id"]),
)

actions = Table(
    "actions",
    metadata,
    Column("action_id", Integer, primary_key=True),
    Column("idempotency_key", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("not_before", UtcTime),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("last_error", Text),
    Column("fencing", Integer),  # of the dispatcher that claimed it
    Column("created_at", UtcTime, nullable=False),
    Column("claimed_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("resources", Text, nullable=False, server_default=""),  # what it needs, sorted, separated by commas
)
Index("ix_actions_by_status", actions.c.status, actions.c.priority.desc(), actions.c.action_id)
# In the order of claims, so that one costs the same however many jobs wait, are for later, or were ever done; for each
# set of resources as well, so that a stuck one does not make a claim look through all that wait for it.
_DUE = text("status = 'queued' AND not_before IS NULL")
_IN_ORDER = (actions.c.priority.desc(), actions.c.action_id)
Index("ix_actions_due_of_kind", actions.c.kind, *_IN_ORDER, sqlite_where=_DUE, postgresql_where=_DUE)
Index("ix_actions_due_for", actions.c.resources, *_IN_ORDER, sqlite_where=_DUE, postgresql_where=_DUE)
# Jobs for later, to find those whose time has come. Status comes first because SQLite would take another index else.
_LATER = text("status = 'queued' AND not_before IS NOT NULL")
Index("ix_actions_later", actions.c.status, actions.c.not_before, sqlite_where=_LATER, postgresql_where=_LATER)

runs = Table(
    "runs",
    metadata,
    Column("run_id", Integer, ForeignKey("actions.action_id"), primary_key=True),
    Column("plate_id", Text, nullable=False, unique=True),
    Column("batch_id", Text, ForeignKey("iterations.batch_id"), index=True),
    Column("workflow", Text, nullable=False),
    Column("workflow_sha256", Text, nullable=False),
    Column("n_wells", Integer, nullable=False),
    Column("cost_usd", Float, nullable=False),
    Column("machine", Text),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
)

steps = Table(
    "steps",
    metadata,
    Column("token", Text, primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.run_id"), nullable=False, index=True),
    Column("step_uid", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("machine", Text, nullable=False),
    Column("error", Text),
    Column("fencing", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("devices", Text, nullable=False, server_default=""),  # held while the step is open, separated by commas
    Column("transfers_done", Integer),  # of a step that a person had continued after so many
    Column("kind", Text, nullable=False, server_default=""),  # empty in entries of earlier forms
)
# Steps that hold devices: few, however many were ever done.
Index(
    "ix_steps_open",
    steps.c.run_id,
    steps.c.devices,
    sqlite_where=text("status IN ('started', 'in_doubt')"),
    postgresql_where=text("status IN ('started', 'in_doubt')"),
)

readings = Table(
    "readings",
    metadata,
    Column("token", Text, ForeignKey("steps.token"), primary_key=True),
    Column("reading", Text, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("lease_id", Integer, primary_key=True, autoincrement=False),
    Column("fencing", Integer, nullable=False),
    Column("owner", Text),  # null: nobody holds it
    Column("host", Text),
    Column("pid", Integer),
    Column("process", Text),
    Column("acquired_at", UtcTime),
    Column("expires_at", UtcTime),
)

control_flags = Table(
    "control_flags",
    metadata,
    Column("name", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_at", UtcTime, nullable=False),
)

tick_ledger = Table(
    "tick_ledger",
    metadata,
    Column("tick_id", Integer, primary_key=True),
    Column("fencing", Integer, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("attempted", Integer, nullable=False),
    Column("succeeded", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("notes", Text, nullable=False),
)

proofs = Table(
    "proofs",
    metadata,
    Column("manifest_sha256", Text, primary_key=True),
    Column("workflow_sha256", Text, nullable=False, index=True),
    Column("machine", Text, nullable=False),
    Column("plate_id", Text, nullable=False),
    Column("proved_at", UtcTime, nullable=False),
)

approvals = Table(
    "approvals",
    metadata,
    Column("approval_id", Integer, primary_key=True),
    Column("workflow_sha256", Text, nullable=False, index=True),
    # what the person saw; null in approvals of the first form, which count for nothing
    Column("manifest_sha256", Text, ForeignKey("proofs.manifest_sha256")),
    Column("machine", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("approved_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("withdrawn_at", UtcTime),  # null: it counts until it expires
    Column("withdrawn_by", Text),
    Column("withdrawn_reason", Text),
)

execution_logs = Table(
    "execution_logs",
    metadata,
    Column("log_id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("level", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("run_id", Integer, ForeignKey("runs.run_id"), index=True),
    Column("artifact_ref", Text),
    Column("artifact_sha256", Text),
)

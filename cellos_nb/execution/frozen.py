"""Workflows as they were frozen when they were submitted."""

from __future__ import annotations

import hashlib

from pydantic import ValidationError
from sqlalchemy import select

from cellos_nb.errors import StoreCorruptError
from cellos_nb.store.schema import runs
from cellos_nb.store.store import Store
from cellos_nb.workflow.workflow import Workflow


def load_workflow(store: Store, run_id: int) -> Workflow:
    """The workflow of a run, as it was submitted.

    Raises:
        StoreCorruptError: the stored text is not what was submitted.
    """
    with store.read() as tx:
        row = tx.execute(
            select(runs.c.plate_id, runs.c.workflow, runs.c.workflow_sha256).where(runs.c.run_id == run_id)
        ).one()
    if hashlib.sha256(row.workflow.encode()).hexdigest() != row.workflow_sha256:
        raise StoreCorruptError(f"{row.plate_id}: its stored workflow was altered after it was submitted. Discard it.")
    try:
        return Workflow.from_json(row.workflow)
    except ValidationError as error:
        raise StoreCorruptError(
            f"{row.plate_id}: its stored workflow cannot be read by this release ({error.error_count()} problems). "
            "Finish it with the release that submitted it, or discard the plate."
        ) from error

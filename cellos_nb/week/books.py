"""The books of a week: what the stock says was taken, beside what the machines hold, to the last drop and cent."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import select

from cellos_nb.domain.amounts import picolitres
from cellos_nb.domain.step import StepKind
from cellos_nb.domain.stock import EntryKind, ResourceKind
from cellos_nb.store.stock_tables import claims, lots, resources, transactions
from cellos_nb.week.run import WeekRun

_LIQUIDS = (ResourceKind.MEDIUM, ResourceKind.REAGENT, ResourceKind.SOLVENT, ResourceKind.COMPOUND)


@dataclass(frozen=True, slots=True)
class PlateVolume:
    """The liquid that one plate took out of bottles and tubes, by both accounts, in picolitres."""

    plate_id: str
    booked: int
    """By the stock's ledger, of the steps that were done."""
    held: int
    """By the robot's own ledger: what all its labware holds together."""
    in_doubt: int
    """By the stock's ledger, of steps that nobody can tell about; the robot has no account of them."""


@dataclass(frozen=True, slots=True)
class Books:
    """Both accounts."""

    plates: tuple[PlateVolume, ...]
    received_micro_usd: int
    """What all lots cost."""
    used_micro_usd: int
    on_hand_micro_usd: int
    discarded_micro_usd: int

    @property
    def booked_pl(self) -> int:
        """Liquid taken by the stock's ledger, in picolitres."""
        return sum(plate.booked for plate in self.plates)

    @property
    def held_pl(self) -> int:
        """The same by the machines' own ledgers."""
        return sum(plate.held for plate in self.plates)

    @property
    def lacking_micro_usd(self) -> int:
        """What was paid and is neither used, discarded nor on hand."""
        return self.received_micro_usd - self.used_micro_usd - self.discarded_micro_usd - self.on_hand_micro_usd


def books_of(run: WeekRun) -> Books | None:
    """The books of a week; None where nothing is kept in stock."""
    if not run.lab.inventory.is_kept:
        return None
    done, doubted = _booked(run)
    plates = tuple(
        PlateVolume(plate.plate_id, done[plate.run_id], _held(run, plate.plate_id), doubted[plate.run_id])
        for plate in run.work.plates.values()
    )
    value: dict[str, int] = defaultdict(int)
    for entry in run.lab.inventory.transactions():
        value[entry.kind] += entry.value_micro_usd
    return Books(
        plates,
        received_micro_usd=value[EntryKind.RECEIVE],
        used_micro_usd=-value[EntryKind.DEBIT] - value[EntryKind.USE],
        on_hand_micro_usd=sum(value.values()),
        discarded_micro_usd=-value[EntryKind.DISCARD] - value[EntryKind.ADJUST],
    )


def _booked(run: WeekRun) -> tuple[dict[int, int], dict[int, int]]:
    """By run: liquid that was debited for steps that were done, and for steps that are in doubt."""
    plates = {plate.run_id: plate for plate in run.work.plates.values()}
    kinds = {(plate.run_id, step.uid): step.kind for plate in plates.values() for step in plate.workflow.steps}
    query = (
        select(claims.c.run_id, claims.c.step_uid, transactions.c.on_hand)
        .join(claims, claims.c.claim_id == transactions.c.claim_id)
        .join(lots, lots.c.lot_id == transactions.c.lot_id)
        .join(resources, resources.c.resource_id == lots.c.resource_id)
        .where(transactions.c.kind == EntryKind.DEBIT.value, resources.c.kind.in_([kind.value for kind in _LIQUIDS]))
    )
    done: dict[int, int] = defaultdict(int)
    doubted: dict[int, int] = defaultdict(int)
    with run.lab.inventory.look() as tx:
        for run_id, uid, change in tx.execute(query):
            # What a reader injects is in no robot's account.
            if kinds[run_id, uid] in {StepKind.READ, StepKind.IMAGE}:
                continue
            account = doubted if (plates[run_id].plate_id, uid) in run.diary.doubted_steps else done
            account[run_id] -= change
    return done, doubted


def _held(run: WeekRun, plate_id: str) -> int:
    """What the labware of a plate's steps holds together, by the ledger of the robot that it was on."""
    workflow = run.work.plates[plate_id].workflow
    barcodes = {item.barcode for step in workflow.steps for item in step.labware}
    volumes = (machine.volumes(barcode) for machine in run.machines.values() for barcode in barcodes)
    return sum(picolitres(volume) for each in volumes for volume in each.values())

"""Proposals onto plates: which well holds what, seeded, with the controls spread over the plate."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

from cellos_nb.domain.plate import (
    PlateLayout,
    WellAssignment,
    WellRole,
    outer_wells,
    well_names,
    well_position,
)
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.settings import PlatePlan
from cellos_nb.errors import LayoutError


def plate_seed(seed: int, plate_number: int) -> int:
    """The seed of one plate of a batch: unrelated between plates, the same on every platform. Plates count from 1."""
    return int.from_bytes(hashlib.sha256(f"{seed}/p{plate_number}".encode()).digest()[:6])


def assign_plates(
    proposals: Sequence[ExperimentProposal], plan: PlatePlan
) -> tuple[tuple[ExperimentProposal, ...], ...]:
    """Distributes proposals over as few plates as first-fit in the order given yields.

    All replicates of a proposal stay on one plate, and every plate has controls for each cell line on it.

    Raises:
        LayoutError: a single proposal with its controls does not fit an empty plate.
    """
    n_usable = len(usable_wells(plan))
    n_controls = _controls_per_line(plan)
    _check_one_fits(plan, n_usable, n_controls)
    plates: list[_Filling] = []
    open_plates: list[_Filling] = []
    for proposal in proposals:
        for plate in open_plates:
            needed = plan.replicates + (0 if proposal.cell_line in plate.lines else n_controls)
            if plate.n_used + needed <= n_usable:
                break
        else:
            plate, needed = _Filling(), plan.replicates + n_controls
            plates.append(plate)
            open_plates.append(plate)
        plate.proposals.append(proposal)
        plate.lines.add(proposal.cell_line)
        plate.n_used += needed
        if n_usable - plate.n_used < plan.replicates:
            open_plates.remove(plate)
    return tuple(tuple(plate.proposals) for plate in plates)


def lay_out(proposals: Sequence[ExperimentProposal], plan: PlatePlan, seed: int) -> PlateLayout:
    """Places the proposals of one plate, with controls for each of their cell lines.

    Controls are stratified: the used wells are cut into as many compact regions as a control has wells, and each
    region gets one. Samples fill the rest in random order. When not all wells are needed, the rim is left out first.

    Raises:
        LayoutError: the wells needed are more than the plate has.
    """
    lines = tuple(dict.fromkeys(proposal.cell_line for proposal in proposals))
    needed = len(proposals) * plan.replicates + len(lines) * _controls_per_line(plan)
    usable = usable_wells(plan)
    if needed > len(usable):
        raise LayoutError(
            f"{len(proposals)} experiments × {plan.replicates} replicates and controls for {len(lines)} cell lines "
            f"need {needed} wells, but {_plate_name(plan)} has {len(usable)}. Use fewer experiments on one plate."
        )
    # Only methods whose results Python promises to keep between versions: random() and getrandbits().
    rng = random.Random(seed)  # noqa: S311  # a reproducible layout, no secret
    used = usable[:needed]
    free = dict.fromkeys(used)
    placed: dict[str, WellAssignment] = {}
    for control in _controls(lines, plan):
        for replicate, well in enumerate(_spread(used, free, len(control), plan.n_wells, rng), start=1):
            role, line, compound, dose = control[replicate - 1]
            placed[well] = WellAssignment(well, role, line, compound, dose, None, replicate)
    rest = _shuffled(list(free), rng)
    wells = iter(rest)
    for proposal in proposals:
        line, compound, dose, uid = proposal.cell_line, proposal.compound, float(proposal.dose_um), proposal.proposal_id
        for replicate in range(1, plan.replicates + 1):
            well = next(wells)
            placed[well] = WellAssignment(well, WellRole.SAMPLE, line, compound, dose, uid, replicate)
    if plan.outer_wells == "medium":
        for well in outer_wells(plan.n_wells):
            placed[well] = WellAssignment(well, WellRole.MEDIUM)
    return PlateLayout(plan.n_wells, tuple(placed[well] for well in well_names(plan.n_wells) if well in placed))


def usable_wells(plan: PlatePlan) -> tuple[str, ...]:
    """The wells that may hold cells, in the order in which a plate is filled: the inside by columns, then the rim."""
    inside, rim = _filling_order(plan.n_wells)
    return inside if plan.outer_wells == "medium" else inside + rim


@dataclass(slots=True)
class _Filling:
    """A plate while proposals are distributed."""

    proposals: list[ExperimentProposal] = field(default_factory=list)
    lines: set[str] = field(default_factory=set)
    n_used: int = 0


@cache
def _filling_order(n_wells: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    rim = outer_wells(n_wells)
    by_columns = sorted(well_names(n_wells), key=lambda name: well_position(name, n_wells)[::-1])
    return tuple(w for w in by_columns if w not in rim), tuple(w for w in by_columns if w in rim)


def _controls_per_line(plan: PlatePlan) -> int:
    positive = plan.controls.positive
    return plan.controls.vehicle + (positive.wells if positive else 0)


def _plate_name(plan: PlatePlan) -> str:
    rim = " with its rim kept for medium" if plan.outer_wells == "medium" else ""
    return f"a {plan.n_wells}-well plate{rim}"


def _check_one_fits(plan: PlatePlan, n_usable: int, n_controls: int) -> None:
    if plan.replicates + n_controls <= n_usable:
        return
    controls = f"{plan.controls.vehicle} vehicle"
    if plan.controls.positive:
        controls += f" and {plan.controls.positive.wells} positive"
    cures = ["fewer controls or replicates", "a larger plate_format"]
    if plan.outer_wells == "medium":
        cures.insert(1, "outer_wells: use")
    raise LayoutError(
        f"One experiment needs {plan.replicates + n_controls} wells ({plan.replicates} replicates, {controls} control "
        f"wells), but {_plate_name(plan)} has {n_usable}. Choose {', '.join(cures[:-1])} or {cures[-1]}."
    )


_Control = list[tuple[WellRole, str, str | None, float | None]]


def _controls(lines: Sequence[str], plan: PlatePlan) -> Iterator[_Control]:
    """One list of identical wells for each cell line and kind of control."""
    positive = plan.controls.positive
    for line in lines:
        yield [(WellRole.VEHICLE, line, None, None)] * plan.controls.vehicle
        if positive:
            yield [(WellRole.POSITIVE, line, positive.compound, positive.dose_um)] * positive.wells


def _spread(used: tuple[str, ...], free: dict[str, None], n: int, n_wells: int, rng: random.Random) -> list[str]:
    """Takes `n` wells out of `free`, one from each of `n` compact regions of `used` while the regions have any."""
    chosen = []
    for region in _regions(used, n, n_wells):
        candidates = [well for well in region if well in free] or list(free)
        well = candidates[int(rng.random() * len(candidates))]
        del free[well]
        chosen.append(well)
    return chosen


@lru_cache(maxsize=256)
def _regions(wells: tuple[str, ...], n: int, n_wells: int) -> tuple[tuple[str, ...], ...]:
    """Cuts wells into `n` parts of equal size, always across the longer side, so that each part is compact."""
    if n == 1:
        return (wells,)
    positions = {well: well_position(well, n_wells) for well in wells}
    height, width = (
        max(p[axis] for p in positions.values()) - min(p[axis] for p in positions.values()) for axis in (0, 1)
    )
    ordered = sorted(wells, key=lambda well: positions[well] if height > width else positions[well][::-1])
    cut = round(len(ordered) * (n // 2) / n)
    return (
        *_regions(tuple(ordered[:cut]), n // 2, n_wells),
        *_regions(tuple(ordered[cut:]), n - n // 2, n_wells),
    )


def _shuffled(wells: list[str], rng: random.Random) -> list[str]:
    """Fisher and Yates' shuffle, on draws that do not change between versions of Python."""
    for i in range(len(wells) - 1, 0, -1):
        j = int(rng.random() * (i + 1))
        wells[i], wells[j] = wells[j], wells[i]
    return wells

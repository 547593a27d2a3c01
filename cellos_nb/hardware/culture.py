"""The cells of one plate from seeding to reading: growth, commitment to death, attrition; all wells at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cellos_nb.domain.plate import outer_wells, plate_format, well_names
from cellos_nb.domain.step import StepKind
from cellos_nb.hardware.biology_parameters import BiologyParameters
from cellos_nb.hardware.chance import lognormal
from cellos_nb.hardware.contents import CELLS, COMPOUND, Contents, Floats, Ints
from cellos_nb.hardware.timeline import Timeline

MAX_INTERVAL_H = 4.0
"""Crowding is taken as constant over intervals of this length in contact inhibition."""
GROWTH_BEGINS_C, GROWTH_FULL_C = 25.0, 37.0
"""Incubation temperatures between which growth rises linearly; typical values."""


class CellModel:
    """Parameters as arrays, with an index for each cell line and compound."""

    def __init__(self, parameters: BiologyParameters) -> None:
        lines, compounds = parameters.cell_lines, parameters.compounds
        self.parameters = parameters
        self.line_index = {line.name: i for i, line in enumerate(lines)}
        self.compound_index = {compound.name: i for i, compound in enumerate(compounds)}
        self.rate_per_h: Floats = math.log(2) / np.array([line.doubling_time_h.value for line in lines])
        self.density_per_cm2: Floats = np.array([line.confluent_density_per_cm2.value for line in lines])
        self.limit: Floats = np.array([line.confluence_limit.value for line in lines])
        self.is_adherent = np.array([line.growth_form == "adherent" for line in lines])
        self.rlu_per_cell: Floats = np.array([line.rlu_per_cell.value for line in lines])
        shift = [[compound.line_log10_shift.get(line.name, 0.0) for line in lines] for compound in compounds]
        self.ic50_um: Floats = np.array([c.ic50_um.value for c in compounds])[:, None] * 10 ** np.array(shift)
        """Shape (compounds, lines)."""
        self.hill: Floats = np.array([compound.hill.value for compound in compounds])
        self.emax: Floats = np.array([compound.emax.value for compound in compounds])
        self.death_h: Floats = np.array([compound.death_h.value for compound in compounds])
        inductions = [compound.induction for compound in compounds]
        self.induction_ec50_um: Floats = np.array([i.ec50_um.value if i else 1.0 for i in inductions])
        self.induction_hill: Floats = np.array([i.hill.value if i else 1.0 for i in inductions])
        self.induction_fold: Floats = np.array([i.fold.value if i else 1.0 for i in inductions])

    @cached_property
    def line_names(self) -> tuple[str, ...]:
        """All cell lines by name."""
        return tuple(self.line_index)


@dataclass(frozen=True, slots=True, eq=False)
class Culture:
    """The cells of a plate at one moment; arrays of shape (n_wells,)."""

    line: Ints
    """Index of the cell line; −1 where there are no cells."""
    live: Floats
    """Living cells."""
    dead: Floats
    """Cells that treatment killed."""
    attached: Floats
    """Share of the living cells that has settled; 1 for a suspension line once it is seeded."""
    induced: Floats
    """Reporter signal of a cell as a multiple of an uninduced one."""


def logistic(dose: Floats, midpoint: Floats, hill: Floats) -> Floats:
    """The Hill equation, d^h / (d^h + m^h), for doses above zero.

    Source: Hill 1910, J. Physiol. 40, iv–vii.
    """
    return np.asarray(1.0 / (1.0 + (midpoint / dose) ** hill))


def cultivate(timeline: Timeline, model: CellModel, random: Generator) -> Culture:
    """The cells of a plate after all that its timeline holds.

    Treated cells die by a hazard that leaves, of the cells that vehicle wells would have, the share
    S(t) = 1 − Emax · H(d) · A(t), with H the Hill equation in the dose and A the progress of attrition: a small
    instant part, nothing more until commitment, then an approach to 1 with the compound's time constant. Cells that
    are dying keep their place, so crowding is that of an untreated well. Therefore viability as a fraction of vehicle
    is a four-parameter logistic curve with its midpoint at the IC50, at every reading time.
    """
    well = _Wells(timeline, model, random)
    clock_h = 0.0
    before: Contents | None = None
    for moment in timeline.moments:
        if moment.contents is not before:
            well.receive(moment.contents, clock_h)
            before = moment.contents
        if moment.kind is StepKind.INCUBATE:
            well.expose(clock_h, moment.hours)
            well.grow(clock_h, moment.hours, moment.temperature_c)
        clock_h += moment.hours
    return well.culture(clock_h)


class _Wells:
    """The changing state of all wells of one plate."""

    def __init__(self, timeline: Timeline, model: CellModel, random: Generator) -> None:
        n = timeline.n_wells
        growth, death = model.parameters.growth, model.parameters.death
        self.model, self.growth, self.death = model, growth, death
        self.area_cm2 = plate_format(n).well_area_cm2
        self.line: Ints = np.full(n, -1, np.int32)
        self.seeded: Floats = np.zeros(n)
        self.seeded_at: Floats = np.full(n, np.inf)
        self.untreated: Floats = np.zeros(n)
        """Cells that there would be without treatment."""
        self.log_survival: Floats = np.zeros(n)
        self.induced: Floats = np.ones(n)
        self.first_exposed: Floats = np.full((len(model.hill), n), np.nan)
        self.vigour: Floats = float(lognormal(random, growth.batch_cv.value)) * (
            1.0 - growth.edge_slowdown.value * rim(n)
        )
        self.response = lognormal(random, death.response_cv.value, n)
        self.well: NDArray[np.intp] = np.empty(0, np.intp)
        """Treated wells, one entry for each compound in them, and …"""
        self.compound: Ints = np.empty(0, np.int32)
        """… which compound, at …"""
        self.dose_um: Floats = np.empty(0)

    def receive(self, contents: Contents, clock_h: float) -> None:
        """Takes in the cells and compounds that stand in the wells now."""
        names, position, index, amount = contents.of_kind(CELLS)
        seeded = np.zeros_like(self.seeded)
        seeded[position] = amount
        self.line[position] = _indices(names, self.model.line_index)[index]
        self.seeded_at[np.isinf(self.seeded_at) & (seeded > 0)] = clock_h
        kept = np.divide(seeded, self.seeded, out=np.ones_like(seeded), where=self.seeded > seeded)
        self.untreated = self.untreated * kept + np.maximum(seeded - self.seeded, 0.0)
        self.seeded = seeded
        names, position, index, amount = contents.of_kind(COMPOUND)
        has_cells = self.line[position] >= 0
        self.well = position[has_cells].astype(np.intp)
        self.compound = _indices(names, self.model.compound_index)[index[has_cells]]
        self.dose_um = amount[has_cells] / contents.volume_ul[self.well]

    def expose(self, clock_h: float, hours: float) -> None:
        """Survival and induction over one incubation with the doses as they are."""
        well, compound, model = self.well, self.compound, self.model
        if not len(well):
            return
        first = self.first_exposed[compound, well]
        first = np.where(np.isnan(first), clock_h, first)
        self.first_exposed[compound, well] = first
        begin = clock_h - first
        ic50 = model.ic50_um[compound, self.line[well]]
        effect = model.emax[compound] * logistic(self.dose_um, ic50, model.hill[compound])
        left = 1.0 - effect * self._progress(begin + hours, compound)
        left_before = 1.0 - effect * self._progress(begin, compound)
        # A survivor of 1e-9 keeps the logarithm finite where a compound kills everything.
        change: Floats = np.log(np.maximum(left, 1e-9) / np.maximum(left_before, 1e-9))
        n = len(self.line)
        self.log_survival = self.log_survival + np.bincount(well, change, n)
        reach = 1.0 - np.exp(-(begin + hours) / model.parameters.signals.induction_h.value)
        response = logistic(self.dose_um, model.induction_ec50_um[compound], model.induction_hill[compound])
        added: Floats = (model.induction_fold[compound] - 1.0) * response * reach
        self.induced = 1.0 + np.bincount(well, added, n).astype(float)

    def _progress(self, exposed_h: Floats, compound: Ints) -> Floats:
        """Share of a compound's full effect that has shown after a time of exposure."""
        instant = self.death.instant_fraction.value
        late = np.maximum(exposed_h - self.death.commitment_h.value, 0.0)
        attrition = 1.0 - np.exp(-late / self.model.death_h[compound])
        return np.where(exposed_h > 0, instant + (1.0 - instant) * attrition, 0.0)

    def grow(self, clock_h: float, hours: float, temperature_c: float) -> None:
        """Growth of the untreated population, towards the confluence limit.

        dN/dt = r(t) · N · (1 − (N/K)²) is solved in closed form, N² = K² / (1 + ((K/N0)² − 1) · exp(−2 ∫r dt)), with
        the slow-down by contact held constant over each interval.
        """
        here = np.flatnonzero(self.untreated > 0)
        if not len(here):
            return
        line = self.line[here]
        full = self.model.limit[line] * self.model.density_per_cm2[line] * self.area_cm2
        warmth = float(np.clip((temperature_c - GROWTH_BEGINS_C) / (GROWTH_FULL_C - GROWTH_BEGINS_C), 0.0, 1.0))
        rate = self.model.rate_per_h[line] * self.vigour[here] * warmth
        contact = self.growth.contact_slowdown.value * self.model.is_adherent[line]
        age = clock_h - self.seeded_at[here]
        n_intervals = math.ceil(hours / MAX_INTERVAL_H)
        step_h = hours / n_intervals
        cells = self.untreated[here]
        for i in range(n_intervals):
            active_h = self._active_h(age + (i + 1) * step_h) - self._active_h(age + i * step_h)
            grown = rate * active_h * (1.0 - contact * np.minimum(cells / full, 1.0))
            cells = full / np.sqrt(1.0 + ((full / cells) ** 2 - 1.0) * np.exp(-2.0 * grown))
        self.untreated[here] = cells * math.exp(-self.growth.baseline_death_per_h.value * hours)

    def _active_h(self, age_h: Floats) -> Floats:
        """Hours of full growth that an age amounts to: the integral of the lag's linear ramp."""
        start, end = self.growth.lag_start_h.value, self.growth.lag_end_h.value
        on_ramp = np.clip(age_h, start, end) - start
        return np.asarray(on_ramp**2 / (2 * (end - start)) + np.maximum(age_h - end, 0.0))

    def culture(self, clock_h: float) -> Culture:
        """The state as it is."""
        survival = np.exp(self.log_survival)
        has_cells = self.line >= 0
        age = np.where(np.isfinite(self.seeded_at), clock_h - self.seeded_at, 0.0)
        settled = np.minimum(age / self.growth.attachment_h.value, 1.0)
        attached = np.where(self.model.is_adherent[self.line], settled, 1.0) * has_cells
        cells = self.untreated * self.response
        return Culture(self.line, cells * survival, cells * (1.0 - survival), attached, self.induced)


def rim(n_wells: int) -> Floats:
    """1 for wells on the rim of a plate and 0 for the others, in plate order."""
    outer = outer_wells(n_wells)
    return np.array([name in outer for name in well_names(n_wells)], float)


def _indices(names: Sequence[str], index: dict[str, int]) -> Ints:
    return np.array([index[name] for name in names], np.int32)

"""The cells of a bank in their flasks, in all runs at once: thawed, grown, split, lost."""

from __future__ import annotations

import math

import numpy as np

from cellos_nb.operations.banks.chance import Chance
from cellos_nb.operations.banks.inputs import Floats, Inputs, Line
from cellos_nb.operations.banks.outcome import Bools, Ints

STEP_H = 4.0
"""Crowding, age and death are taken as constant over so long."""
STEPS_PER_DAY = round(24 / STEP_H)


class Flasks:
    """The flasks of all runs; those of one run are alike. Arrays of shape (n_runs,), indices `at` into them."""

    def __init__(self, line: Line, inputs: Inputs[Floats], chance: Chance) -> None:
        """No cells yet.

        Args:
            line: what is fixed about the cells.
            inputs: spread over the runs.
            chance: of this bank.
        """
        n = chance.n_runs
        self.line, self.inputs = line, inputs
        self.rate_per_h = math.log(2) / inputs.doubling_time_h * chance.lognormal("growth", inputs.batch_cv)
        self.limit_doublings = inputs.limit_doublings + inputs.limit_sd * chance.normal("ageing")
        self.n: Ints = np.zeros(n, np.int64)
        self.live: Floats = np.zeros(n)
        self.dead: Floats = np.zeros(n)
        self.age_h: Floats = np.zeros(n)
        """Since they were seeded."""
        self.doublings: Floats = np.zeros(n)
        self.passage: Ints = np.zeros(n, np.int64)

    @property
    def confluence(self) -> Floats:
        """Cells over those of full flasks; 0 without flasks."""
        full = self.n * self.line.confluent_cells
        return np.asarray(np.divide(self.live, full, out=np.zeros_like(self.live), where=full > 0))

    @property
    def viability(self) -> Floats:
        """Living cells of all; 0 without cells."""
        both = self.live + self.dead
        return np.asarray(np.divide(self.live, both, out=np.zeros_like(both), where=both > 0))

    def seed(self, at: Ints, live: Floats, dead: Floats, most: int) -> None:
        """Puts cells into as many flasks as their seeding density allows, but no more than `most`."""
        each = self.inputs.seeding_confluence[at] * self.line.confluent_cells
        self.n[at] = np.clip(np.floor(live / each), 1, most).astype(np.int64)
        self.live[at], self.dead[at] = live, dead
        self.age_h[at] = 0.0
        self.passage[at] += 1

    def wash(self, at: Ints) -> None:
        """A change of medium takes dead cells away, unless the line grows in suspension."""
        if self.line.is_adherent:
            self.dead[at] = 0.0

    def stress(self, at: Ints, share: Floats) -> None:
        """Kills a share of the living cells."""
        killed = self.live[at] * share
        self.live[at] -= killed
        self.dead[at] += killed

    def lose(self, at: Ints, share: Floats | float) -> Floats:
        """Takes a share of the flasks and their cells away and returns the living cells lost."""
        lost = self.live[at] * share
        self.live[at] -= lost
        self.dead[at] *= 1.0 - np.asarray(share)
        return np.asarray(lost)

    def clear(self, is_over: Bools) -> None:
        """No flasks are left in these runs."""
        self.n[is_over] = 0
        self.live[is_over] = 0.0
        self.dead[is_over] = 0.0

    def grow_a_day(self) -> None:
        """A day of growth, towards the line's limit, and of death, in the runs that have cells.

        As in the wells of the simulated machine: dN/dt = r(t) · N · (1 − (N/K)²), solved in closed form over steps of
        four hours, with lag, and the slow-down by contact, at the beginning of each. The rate falls with the doublings
        d of a line that ages, by 1 / (1 + exp((d − limit) / width)), with the limit of the run.
        """
        at = np.flatnonzero(self.live > 0)
        if not len(at):
            return
        line, age = self.line, self.age_h[at]
        live, dead, doublings = self.live[at], self.dead[at], self.doublings[at]
        full = self.n[at] * line.confluent_cells
        limit, rate, ageing = full * line.limit, self.rate_per_h[at], self.limit_doublings[at]
        crowded = limit * self.inputs.overgrown_from[at]
        crowding_per_h = -np.log1p(-np.minimum(self.inputs.overgrown_loss_per_day[at], 1.0 - 1e-12)) / 24.0
        for step in range(STEPS_PER_DAY):
            begin = age + step * STEP_H
            active_h = self._active_h(begin + STEP_H) - self._active_h(begin)
            vigour = 1.0 / (1.0 + np.exp(np.minimum((doublings - ageing) / line.ageing_width, 500.0)))
            growth = rate * vigour * active_h * (1.0 - line.contact_slowdown * np.minimum(live / full, 1.0))
            grown = limit / np.sqrt(1.0 + ((limit / live) ** 2 - 1.0) * np.exp(-2.0 * growth))
            doublings = doublings + np.maximum(np.log2(grown / live), 0.0)
            hazard = line.baseline_death_per_h + np.where(grown > crowded, crowding_per_h, 0.0)
            live = grown * np.exp(-hazard * STEP_H)
            dead = dead + grown - live
        self.live[at], self.dead[at], self.doublings[at] = live, dead, doublings
        self.age_h[at] = age + 24.0

    def _active_h(self, age_h: Floats) -> Floats:
        """Hours of full growth that an age amounts to: the integral of the lag's linear ramp."""
        start, end = self.line.lag_start_h, self.line.lag_end_h
        on_ramp = np.clip(age_h, start, end) - start
        return np.asarray(on_ramp**2 / (2.0 * (end - start)) + np.maximum(age_h - end, 0.0))

"""One bank from its first thaw until it is frozen, in all runs at once, day by day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cellos_nb.operations.banks.books import Books
from cellos_nb.operations.banks.chance import Chance
from cellos_nb.operations.banks.config import BankConfig, StageSettings
from cellos_nb.operations.banks.flasks import Flasks
from cellos_nb.operations.banks.frozen import Frozen
from cellos_nb.operations.banks.inputs import Floats, Inputs, Line, vials_to_fill
from cellos_nb.operations.banks.outcome import Bools, Ending, Entry, Fan, Ints
from cellos_nb.operations.banks.parameters import BankParameters, BankPrices
from cellos_nb.operations.banks.trouble import Trouble

CLEAN = -1
"""In place of the index of a contamination's kind."""
NEVER = 1_000_000
"""A day that does not come."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True, eq=False)
class Beginning:
    """The vials that a bank is made from; arrays of shape (n_runs,)."""

    vials: Floats
    """At hand; 0: it cannot be begun."""
    cells: Floats
    """Living and dead, in one vial."""
    viability: Floats
    """After thawing."""
    passage: Ints
    doublings: Floats
    contamination: Ints
    """Index of its kind, or `CLEAN`: it comes with the vials."""


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """Everything about a bank that chance does not decide."""

    config: BankConfig
    name: str
    stage: StageSettings
    parameters: BankParameters
    prices: BankPrices
    inputs: Inputs[Floats]
    line: Line
    trouble: Trouble

    def is_attended(self, day: int) -> bool:
        """Whether somebody looks after the cells."""
        return (self.config.weekends or day % 7 < 5) and not self.trouble.is_away(day)


class Culture:
    """The changing state of a bank until it is frozen; arrays of shape (n_runs,)."""

    def __init__(self, setup: Setup, beginning: Beginning, chance: Chance) -> None:
        """Nothing is thawed yet."""
        n = chance.n_runs
        self.setup, self.beginning, self.chance = setup, beginning, chance
        self.flasks = Flasks(setup.line, setup.inputs, chance)
        self.books = Books(n, setup.parameters.work, setup.prices, setup.config.flask_cm2)
        self.fill = vials_to_fill(setup.stage, setup.parameters, setup.inputs.spare_vials)
        self.need = self.fill * setup.stage.cells_per_vial * (1.0 + setup.inputs.margin)
        """Living cells at which it is frozen."""
        self.goal = np.ceil(self.need / (setup.inputs.at_confluence * setup.line.confluent_cells)).astype(np.int64)
        """Flasks that these cells take; more are not begun."""
        kinds = setup.parameters.contamination.kinds
        seen = [NEVER if one.seen_after_days is None else one.seen_after_days for one in kinds]
        self._seen_after: Ints = np.array([*seen, NEVER])
        """In days, by kind; the last is that of `CLEAN`."""
        self.kind: Ints = np.full(n, CLEAN, np.int64)
        self.seen_on: Ints = np.full(n, NEVER, np.int64)
        self.cared_for: Ints = np.zeros(n, np.int64)
        self.attempts: Ints = np.zeros(n, np.int64)
        self.peak_flasks: Ints = np.zeros(n, np.int64)
        self.grown: Floats = np.zeros(n)
        self.ending: Ints = np.full(n, Ending.NOT_BEGUN, np.int64)
        self.ended_on: Floats = np.zeros(n)
        self.is_waiting: Bools = self.beginning.vials >= setup.stage.thawed
        """For a thaw."""
        self.is_begun: Bools = self.is_waiting.copy()
        self.frozen = Frozen.draw(chance, setup.inputs)
        self.entries: list[Entry] = []

    @property
    def is_growing(self) -> Bools:
        """Whether there are flasks."""
        return np.asarray(self.flasks.n > 0)

    def make(self) -> Fan:
        """Lives through all days, until all is frozen or lost; returns how the cells grew."""
        last, fans = self.setup.config.time_out_days, []
        for day in range(last + 1):
            self._day(day)
            if day == last:
                too_late = self.is_growing | self.is_waiting
                is_old = self.flasks.doublings > self.flasks.limit_doublings
                self.is_waiting &= False
                self._lose(too_late & is_old, Ending.SENESCENT, day, is_final=True)
                self._lose(too_late & ~is_old, Ending.TIME_OUT, day, is_final=True)
            self._night(day)
            fans.append(self._fan())
            if not (self.is_growing | self.is_waiting).any():
                break
        return Fan(np.arange(len(fans)), np.array(fans))

    def _day(self, day: int) -> None:
        trouble = self.setup.trouble
        if day in trouble.contamination_found:
            is_clean = self.is_growing & (self.kind == CLEAN)
            self.kind[is_clean] = 0
            self.seen_on[self.is_growing] = day
        if not self.setup.is_attended(day):
            return
        self._lose(self.is_growing & (self.seen_on <= day), Ending.CONTAMINATED, day)
        self._lose(self.is_growing & (self.flasks.live < 1.0), Ending.DIED, day)
        self._freeze(np.flatnonzero(self.is_growing & (self.flasks.live >= self.need)), day)
        self._split(day)
        feed = self.is_growing & (day - self.cared_for >= self.setup.inputs.feed_every_days)
        self._feed(np.flatnonzero(feed), day)
        self._thaw(np.flatnonzero(self.is_waiting), day)

    def _thaw(self, at: Ints, day: int) -> None:
        inputs, n_vials = self.setup.inputs, self.setup.stage.thawed
        cv = inputs.thaw_cells_sd / inputs.thaw_cells
        count = np.maximum(1.0 + cv * self.chance.normal("thaw cells") / np.sqrt(n_vials), 0.0)
        lives = self.beginning.viability + inputs.thaw_viability_sd * self.chance.normal("thaw viability")
        if not len(at):
            return
        cells = (n_vials * self.beginning.cells * count)[at]
        live = cells * np.clip(lives, 0.0, 1.0)[at]
        self.flasks.passage[at] = self.beginning.passage[at]
        self.flasks.doublings[at] = self.beginning.doublings[at]
        self.flasks.seed(at, live, cells - live, self.setup.config.max_flasks)
        self.is_waiting[at] = False
        self.attempts[at] += 1
        self.kind[at] = self.beginning.contamination[at]
        self.seen_on[at] = day + self._seen_after[self.kind[at]]
        self.books.thaw(at, self.flasks.n[at])
        self._note(at, day, "thaw")

    def _split(self, day: int) -> None:
        inputs, most = self.setup.inputs, self.setup.config.max_flasks
        stress = inputs.stress_low + (inputs.stress_high - inputs.stress_low) * self.chance.uniform("stress")
        roomiest = np.minimum(self.goal, most)
        is_due = self.is_growing & (self.flasks.confluence >= inputs.at_confluence) & (self.flasks.n < roomiest)
        at = np.flatnonzero(is_due)
        if not len(at):
            return
        before = self.flasks.n[at]
        self.flasks.wash(at)
        self.flasks.stress(at, stress[at])
        self.flasks.seed(at, self.flasks.live[at], self.flasks.dead[at], most)
        self.flasks.n[at] = np.minimum(self.flasks.n[at], roomiest[at])
        self.books.split(at, before, self.flasks.n[at])
        self._note(at, day, "passage")

    def _feed(self, at: Ints, day: int) -> None:
        if len(at):
            self.flasks.wash(at)
            self.books.feed(at, self.flasks.n[at])
            self._note(at, day, "feed")

    def _freeze(self, at: Ints, day: int) -> None:
        if not len(at):
            return
        flasks = self.flasks
        flasks.wash(at)
        self.grown[at] += flasks.live[at]
        flasks.stress(at, self.frozen.stress[at])
        self.frozen.harvest(at, flasks, self.fill[at], self.setup.stage.cells_per_vial, self.setup.inputs)
        self.books.freeze(at, flasks.n[at], self.frozen.filled[at])
        self.ending[at], self.ended_on[at] = Ending.RELEASED, day
        self._note(at, day, "freeze")
        is_over = np.zeros_like(self.is_growing)
        is_over[at] = True
        flasks.clear(is_over)

    def _lose(self, is_lost: Bools, ending: Ending, day: int, *, is_final: bool = False) -> None:
        """All cells of these runs are lost; they begin anew where that is allowed and vials are left."""
        if not is_lost.any():
            return
        stage, config = self.setup.stage, self.setup.config
        self.grown[is_lost] += self.flasks.live[is_lost]
        self.flasks.clear(is_lost)
        has_vials = (self.attempts + 1) * stage.thawed <= self.beginning.vials
        again = is_lost & has_vials & (self.attempts <= config.restarts) & (not is_final)
        self.is_waiting |= again
        self.ending[is_lost & ~again], self.ended_on[is_lost & ~again] = ending, day

    def _night(self, day: int) -> None:
        """Cells grow, and what happens while nobody looks happens."""
        self.flasks.grow_a_day()
        self._contaminate(day)
        k, trouble = self.setup.config.incubators, self.setup.trouble
        chance = 1.0 - (1.0 - self.setup.inputs.incubator_failure_per_day) ** k
        fails = (self.chance.uniform("incubator") < chance) | (day in trouble.incubator_fails)
        which = self.chance.uniform("which incubator")
        at = np.flatnonzero(fails & self.is_growing)
        if not len(at):
            return
        n = self.flasks.n[at]
        in_it = n // k + (which[at] * k < n % k)
        self.grown[at] += self.flasks.lose(at, in_it / n)
        is_lost = np.zeros_like(fails)
        is_lost[at[in_it == n]] = True
        self.flasks.n[at] = n - in_it
        self._lose(is_lost, Ending.INCUBATOR, day + 1)

    def _contaminate(self, day: int) -> None:
        kinds = self.setup.parameters.contamination.kinds
        chance = 1.0 - (1.0 - self.setup.inputs.contamination_per_flask_day) ** self.flasks.n
        comes = self.is_growing & (self.kind == CLEAN) & (self.chance.uniform("contamination") < chance)
        shares = np.cumsum([kind.share.value for kind in kinds])
        kind = np.minimum(np.searchsorted(shares, self.chance.uniform("kind"), side="right"), len(kinds) - 1)
        if day in self.setup.trouble.hidden_from:
            hidden = next(i for i, one in enumerate(kinds) if one.seen_after_days is None)
            comes |= self.is_growing & (self.kind == CLEAN)
            kind = np.full_like(kind, hidden)
        self.kind[comes] = kind[comes]
        self.seen_on[comes] = day + self._seen_after[kind[comes]]

    def _fan(self) -> Floats:
        """How many vials the living cells are worth, or how many are frozen, over the runs that were begun."""
        self.peak_flasks = np.maximum(self.peak_flasks, self.flasks.n)
        worth = np.where(self.frozen.filled > 0, self.frozen.filled, self.flasks.live / self.setup.stage.cells_per_vial)
        worth = worth[self.is_begun]
        return np.quantile(worth, QUANTILES) if len(worth) else np.zeros(len(QUANTILES))

    def _note(self, at: Ints, day: int, what: str) -> None:
        self.cared_for[at] = day
        n = self.frozen.filled[at] if what == "freeze" else self.flasks.n[at]
        self.entries.append(Entry(day, what, at, n.astype(np.int64)))

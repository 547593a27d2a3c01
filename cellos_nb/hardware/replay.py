"""ReplayMachine: answers with the measured viabilities of a real screen, for what its virtual wells really hold."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.reading import Channel
from cellos_nb.domain.step import Readout, Step, StepKind
from cellos_nb.errors import MachineRefusedError
from cellos_nb.hardware.contents import CELLS, COMPOUND, Contents, fixed_wells
from cellos_nb.hardware.screen import Screen, load_screen
from cellos_nb.hardware.timeline import Timeline
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.units import format_dose

CHANNEL = "luminescence"
STEP_KINDS = (StepKind.SEED, StepKind.DILUTE, StepKind.DOSE, StepKind.STAIN, StepKind.INCUBATE, StepKind.READ)


class ReplayMachine(VirtualMachine):
    """A virtual machine whose reader looks wells up in a measured screen.

    Vehicle wells read 1.0, because the source is normalised to them. A treated well reads one replicate of the
    measurement of its line, compound and delivered dose, chosen by the seeds of machine and step; wells of the same
    condition on one plate read different replicates while there are enough.
    """

    def __init__(
        self,
        screen: str | Path | Screen | None = None,
        ledger: str | Path | None = None,
        *,
        seed: int = 0,
        name: str = "replay",
        min_volume_ul: float = 0.0025,
        max_volume_ul: float = 1000.0,
    ) -> None:
        """A machine on a tidy CSV of one's own, or on the shipped sarcoma screen.

        Raises:
            ScreenError: the screen cannot be read.
            MachineError: the ledger cannot be used.
        """
        measured = screen if isinstance(screen, Screen) else load_screen(screen)
        super().__init__(
            ledger,
            instrument=_ScreenReader(measured, seed),
            name=name,
            min_volume_ul=min_volume_ul,
            max_volume_ul=max_volume_ul,
        )


@dataclass(frozen=True, slots=True)
class _Treatment:
    """What a well with cells was treated with."""

    well: str
    cell_line: str
    compound: str | None
    dose_um: float


@dataclass(frozen=True, slots=True)
class _ScreenReader:
    """The instrument that finds wells in a screen."""

    screen: Screen
    seed: int

    @property
    def is_normalised(self) -> bool:
        """The source gives fractions of its own vehicle."""
        return True

    def describe(self, machine: Capabilities) -> Capabilities:
        """Narrowed to what was measured: its lines, compounds and doses, by viability alone."""
        return replace(
            machine,
            step_kinds=STEP_KINDS,
            assays=("viability",),
            cell_lines=self.screen.cell_lines,
            compounds=self.screen.compounds,
            dose_range_um=self.screen.dose_range_um,
            data_source=self.screen.source,
        )

    def check_contents(self, step: Step, contents: Contents) -> None:
        """Refuses a line or compound that was not measured, a dose outside its range, and mixtures."""
        for line in contents.of_kind(CELLS)[0]:
            if line not in self.screen.cell_lines:
                raise MachineRefusedError(_unknown(step, "cell line", line, self.screen.cell_lines))
        for compound in contents.of_kind(COMPOUND)[0]:
            if compound not in self.screen.compounds:
                raise MachineRefusedError(_unknown(step, "compound", compound, self.screen.compounds))
        for treatment in _treatments(step, contents):
            # A reagent that is added before reading dilutes the dose, but the cells have had it by then.
            if step.kind is not StepKind.STAIN:
                self._check(step, treatment)

    def check_readout(self, step: Step, readout: Readout, timeline: Timeline) -> None:
        """Refuses other signals than luminescence, and wells without cells."""
        if readout.channels != (CHANNEL,):
            raise MachineRefusedError(
                f"Step {step.uid}: a screen of viabilities has no {', '.join(readout.channels)}; read '{CHANNEL}'."
            )
        contents = timeline.incubated_contents()
        with_cells = {treatment.well for treatment in _treatments(step, contents)} if contents else set()
        bare = next((well for well in readout.wells if well not in with_cells), None)
        if bare is not None:
            raise MachineRefusedError(f"Step {step.uid}: well {bare} holds no cells. Read wells with cells only.")

    def measure(self, step: Step, readout: Readout, timeline: Timeline) -> tuple[Channel, ...]:
        """One replicate of the screen for each well."""
        contents = timeline.incubated_contents()
        treatments = {t.well: t for t in _treatments(step, contents)} if contents else {}
        most = max(len(curves.viability) for curves in self.screen.curves.values())
        chosen = _Draw(self.seed, step.seed, timeline.n_wells, most)
        values = []
        for well in readout.wells:
            treatment = treatments[well]
            if treatment.compound is None:
                values.append(1.0)
                continue
            curves = self.screen.curves[treatment.cell_line, treatment.compound]
            replicate = chosen.replicate(treatment, len(curves.viability))
            values.append(curves.at(treatment.dose_um, replicate))
        return (Channel(CHANNEL, "fraction of vehicle", tuple(values)),)

    def _check(self, step: Step, treatment: _Treatment) -> None:
        if treatment.compound is None:
            return
        where = f"Step {step.uid}, well {treatment.well}"
        curves = self.screen.curves.get((treatment.cell_line, treatment.compound))
        if curves is None:
            tried = [compound for line, compound in self.screen.curves if line == treatment.cell_line]
            raise MachineRefusedError(
                f"{where}: {treatment.compound} was not measured on {treatment.cell_line}; possible there: "
                f"{', '.join(tried)}."
            )
        if not curves.holds(treatment.dose_um):
            raise MachineRefusedError(
                f"{where}: {treatment.compound} at {format_dose(treatment.dose_um)} on {treatment.cell_line} was not "
                f"measured; possible: {format_dose(curves.dose_um[0])} to {format_dose(curves.dose_um[-1])}."
            )


class _Draw:
    """Replicates for the wells of one plate, without repetition within a condition while there are enough."""

    def __init__(self, machine_seed: int, step_seed: int, n_wells: int, max_replicates: int) -> None:
        random = np.random.default_rng([machine_seed % 2**63, step_seed % 2**63])
        self._keys = random.random((n_wells, max_replicates))
        self._positions = fixed_wells(n_wells)
        self._left: dict[tuple[str, str | None, float], list[int]] = {}

    def replicate(self, treatment: _Treatment, n_replicates: int) -> int:
        """The next replicate of a condition; their order is drawn at the position of the condition's first well."""
        # Delivered doses of one condition may differ in the last digits, depending on the way they took.
        condition = (treatment.cell_line, treatment.compound, float(f"{treatment.dose_um:.9g}"))
        left = self._left.get(condition)
        if not left:
            keys = self._keys[self._positions[treatment.well], :n_replicates].tolist()
            left = self._left[condition] = sorted(range(n_replicates), key=keys.__getitem__)
        return left.pop()


def _treatments(step: Step, contents: Contents) -> Iterator[_Treatment]:
    """What each well with cells holds.

    Raises:
        MachineRefusedError: a well holds two cell lines or two compounds.
    """
    line_of = _one_each(step, contents, CELLS, "cell lines")
    compound_of = _one_each(step, contents, COMPOUND, "compounds")
    for position, (line, _) in sorted(line_of.items()):
        compound, amount = compound_of.get(position, (None, 0.0))
        yield _Treatment(contents.wells[position], line, compound, amount / float(contents.volume_ul[position]))


def _one_each(step: Step, contents: Contents, kind: str, plural: str) -> dict[int, tuple[str, float]]:
    names, positions, indices, amounts = contents.of_kind(kind)
    found: dict[int, tuple[str, float]] = {}
    for position, index, amount in zip(positions.tolist(), indices.tolist(), amounts.tolist(), strict=True):
        if position in found:
            raise MachineRefusedError(
                f"Step {step.uid}, well {contents.wells[position]}: holds two {plural}, {found[position][0]} and "
                f"{names[index]}, and mixtures were not measured. Give each well one."
            )
        found[position] = (names[index], amount)
    return found


def _unknown(step: Step, what: str, name: str, possible: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, possible, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"Step {step.uid}: the {what} {name} is not in the screen; {hint}Possible: {', '.join(possible)}."

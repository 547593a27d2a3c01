"""BiologicalVirtualMachine: a virtual machine in whose wells cells grow, die and give signals."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.reading import Channel
from cellos_nb.domain.step import Readout, Step
from cellos_nb.errors import MachineRefusedError
from cellos_nb.hardware import chance
from cellos_nb.hardware.biology_parameters import BiologyParameters, load_parameters
from cellos_nb.hardware.contents import CELLS, COMPOUND, STAIN, Contents, fixed_wells
from cellos_nb.hardware.culture import CellModel, cultivate
from cellos_nb.hardware.faults import draw_faults
from cellos_nb.hardware.imaging.settings import MicroscopeSettings, need_imaging
from cellos_nb.hardware.signals import CHANNELS, channels
from cellos_nb.hardware.timeline import Timeline
from cellos_nb.hardware.virtual import VirtualMachine


class BiologicalVirtualMachine(VirtualMachine):
    """A virtual machine whose reader measures simulated cells.

    A plate keeps its own clock, so 72 h take no time. Noise depends on the machine's seed, on the seeds of the plate's
    steps and on the position of a well, and on nothing else.
    """

    def __init__(
        self,
        parameters: str | Path | BiologyParameters | None = None,
        ledger: str | Path | None = None,
        *,
        seed: int = 0,
        name: str = "biology",
        min_volume_ul: float = 0.0025,
        max_volume_ul: float = 1000.0,
        images: MicroscopeSettings | None = None,
    ) -> None:
        """A machine on a parameter file of one's own, or on the shipped one.

        Args:
            parameters: the file, or what would stand in it.
            ledger: the file that is its memory.
            seed: behind all noise.
            name: as it stands in logs and errors.
            min_volume_ul: the smallest transfer, in µL.
            max_volume_ul: the largest transfer, in µL.
            images: has an imaging assay's fields rendered as TIFFs and read back from them; without it their counts
                and intensities are drawn.

        Raises:
            ConfigError: a parameter is refused, or images are asked for and scikit-image is not installed.
            MachineError: the ledger cannot be used.
        """
        known = parameters if isinstance(parameters, BiologyParameters) else load_parameters(parameters)
        source = "the shipped parameters" if parameters is None else str(parameters)
        if isinstance(parameters, BiologyParameters):
            source = "parameters given in Python"
        if images is not None:
            need_imaging()
        super().__init__(
            ledger,
            instrument=_CellReader(CellModel(known), seed, f"simulated biology, {source}", images),
            name=name,
            min_volume_ul=min_volume_ul,
            max_volume_ul=max_volume_ul,
        )


class _CellReader:
    """The instrument that knows cells."""

    def __init__(self, model: CellModel, seed: int, source: str, images: MicroscopeSettings | None = None) -> None:
        self._model = model
        self._seed = seed
        self._source = source
        self._images = images

    @property
    def is_normalised(self) -> bool:
        """Signals are raw counts."""
        return False

    def describe(self, machine: Capabilities) -> Capabilities:
        """Narrowed to the lines and compounds that have parameters."""
        return replace(
            machine,
            cell_lines=tuple(self._model.line_index),
            compounds=tuple(self._model.compound_index),
            data_source=self._source,
        )

    def check_contents(self, step: Step, contents: Contents) -> None:
        """Refuses lines and compounds without parameters, and two lines in one well."""
        lines, positions, _, _ = contents.of_kind(CELLS)
        _check_known(step, "cell line", lines, self._model.line_index)
        _check_known(step, "compound", contents.of_kind(COMPOUND)[0], self._model.compound_index)
        listed = positions.tolist()
        if len(set(listed)) < len(listed):
            twice = next(position for i, position in enumerate(listed) if position in listed[:i])
            raise MachineRefusedError(
                f"Step {step.uid}, well {contents.wells[twice]}: holds two cell lines; co-cultures are not simulated. "
                "Give each well one line."
            )

    def check_readout(self, step: Step, readout: Readout, timeline: Timeline) -> None:
        """Refuses channels that the assay does not have, and images of wells that nobody stained."""
        possible = CHANNELS[step.assay]
        unknown = next((name for name in readout.channels if name not in possible), None)
        if unknown is not None:
            raise MachineRefusedError(
                f"Step {step.uid}: the assay '{step.assay}' has no channel '{unknown}'; possible: "
                f"{', '.join(possible)}."
            )
        if step.assay != "imaging" or timeline.contents is None:
            return
        position = fixed_wells(timeline.n_wells)
        stained = set(timeline.contents.of_kind(STAIN)[1].tolist())
        dark = next((well for well in readout.wells if position[well] not in stained), None)
        if dark is not None:
            raise MachineRefusedError(
                f"Step {step.uid}: well {dark} holds no stain, so its images would be dark. Stain it before imaging."
            )

    def measure(self, step: Step, readout: Readout, timeline: Timeline) -> tuple[Channel, ...]:
        """The signals of the cells as they are now."""
        life = chance.of_life(self._seed, timeline.seed)
        culture = cultivate(timeline, self._model, life)
        mishaps = chance.draw_mishaps(life, self._model.parameters.noise, timeline.n_wells)
        faults = draw_faults(
            chance.of_faults(self._seed, timeline.seed),
            self._model.parameters.faults,
            timeline.n_wells,
            culture.line >= 0,
        )
        position = fixed_wells(timeline.n_wells)
        random = chance.of_measurement(self._seed, step.seed, step.uid)
        if self._images is not None and step.assay == "imaging":
            from cellos_nb.hardware.imaging.microscope import image_plate

            return image_plate(
                step,
                readout,
                culture,
                settings=self._images,
                parameters=self._model.parameters,
                mishaps=mishaps.well,
                on_plate=faults.on,
                random=random,
            )
        return channels(
            step.assay,
            readout,
            [position[well] for well in readout.wells],
            culture,
            model=self._model,
            mishaps=mishaps,
            faults=faults,
            random=random,
        )


def _check_known(step: Step, what: str, names: Sequence[str], known: dict[str, int]) -> None:
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise MachineRefusedError(
                f"Step {step.uid}: the {what} {name} has no parameters; {hint}Possible: {', '.join(known)}. Add it in "
                "a parameter file of your own."
            )

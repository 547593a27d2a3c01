"""Plate readers and incubators: back ends by model, and the commands of a reading and an incubation."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from functools import partial
from typing import Any

from cellos_nb.domain.plate import well_position
from cellos_nb.domain.reading import Channel, Reading
from cellos_nb.domain.step import Readout, Step
from cellos_nb.errors import MachineError
from cellos_nb.hardware.pylabrobot.commands import Command
from cellos_nb.hardware.pylabrobot.labware import chosen, make, need_pylabrobot
from cellos_nb.hardware.pylabrobot.settings import IncubatorSettings, ReaderSettings, SignalSettings

_WITH_PORT = {"SpectraMax384Plus", "SpectraMaxM5", "SpectraMaxGeminiEM"}


class Reader:
    """A plate reader. Before each reading the plate lies in its open tray."""

    def __init__(self, settings: ReaderSettings) -> None:
        """A reader that is not connected yet.

        Raises:
            MachineError: what its connection needs is not installed.
        """
        need_pylabrobot()
        from pylabrobot.plate_reading import PlateReader

        self._settings = settings
        self.front = PlateReader("reader", size_x=0, size_y=0, size_z=0, backend=_reader_backend(settings))
        self._answers: dict[str, Any] = {}

    def commands(self, step: Step) -> Iterator[Command]:
        """Takes the plate in, and reads one signal after the other."""
        readout = _need_readout(step)
        plate = self._put_in(step)
        wells = [plate.get_item(well) for well in readout.wells]
        yield Command("take the plate in", self.front.close)
        for signal in readout.channels:
            yield Command(f"read {signal}", partial(self._read, signal, self._settings.signals[signal], wells))
        yield Command("give the plate out", self.front.open)

    def reading(self, step: Step) -> Reading:
        """What was read.

        Raises:
            MachineError: the reader answered with another shape of plate.
        """
        readout = _need_readout(step)
        n_wells = step.labware_named("plate").n_wells
        channels = []
        for signal in readout.channels:
            rows = self._answers[signal][0]["data"]
            values = tuple(_at(rows, well, n_wells, step) for well in readout.wells)
            channels.append(Channel(signal, self._settings.unit, values))
        return Reading(step.plate_id, step.uid, readout.wells, tuple(channels), instrument=self._settings.model)

    async def _read(self, signal: str, asked: SignalSettings, wells: list[Any]) -> None:
        height = asked.focal_height_mm
        if asked.mode == "luminescence":
            answer = self.front.read_luminescence(focal_height=height, wells=wells, use_new_return_type=True)
        elif asked.mode == "fluorescence":
            answer = self.front.read_fluorescence(
                excitation_wavelength=asked.excitation_nm,
                emission_wavelength=asked.emission_nm,
                focal_height=height,
                wells=wells,
                use_new_return_type=True,
            )
        else:
            answer = self.front.read_absorbance(wavelength=asked.wavelength_nm, wells=wells, use_new_return_type=True)
        self._answers[signal] = await answer

    def _put_in(self, step: Step) -> Any:
        for child in list(self.front.children):
            child.unassign()
        n_wells = step.labware_named("plate").n_wells
        plate = make(chosen(self._settings.plate, n_wells, f"Step {step.uid}, reader"), "plate")
        self.front.assign_child_resource(plate)
        return plate


class Incubator:
    """An incubator, of which the temperature is set, and asked for again."""

    def __init__(self, settings: IncubatorSettings) -> None:
        """An incubator that is not connected yet.

        Raises:
            MachineError: what its connection needs is not installed.
        """
        need_pylabrobot()
        self._settings = settings
        self.front = _incubator_backend(settings)

    def commands(self, step: Step) -> Iterator[Command]:
        """Sets the temperature and makes sure that it is there."""
        wanted_c = step.temperature_c

        async def check() -> None:
            found_c = await self.front.get_temperature()
            if abs(found_c - wanted_c) > self._settings.tolerance_c:
                raise MachineError(
                    f"the incubator has {found_c:g} °C, not {wanted_c:g} °C within {self._settings.tolerance_c:g}. "
                    "Wait until it is there, or look at its door."
                )

        yield Command(f"set {wanted_c:g} °C", lambda: self.front.set_temperature(wanted_c))
        yield Command("ask for the temperature", check)


def _need_readout(step: Step) -> Readout:
    if step.readout is None:
        raise AssertionError(f"{step.uid}: is refused in preflight")
    return step.readout


def _at(rows: Any, well: str, n_wells: int, step: Step) -> float | None:
    row, column = well_position(well, n_wells)
    try:
        value = rows[row][column]
    except IndexError as error:
        raise MachineError(
            f"Step {step.uid}: the reader answered with {len(rows)} rows, but well {well} was asked for. Choose the "
            "plate in its protocol."
        ) from error
    return None if value is None else float(value)


def _reader_backend(settings: ReaderSettings) -> Any:
    from pylabrobot import plate_reading

    if settings.model == "chatterbox":
        return quiet(plate_reading.PlateReaderChatterboxBackend)()
    model = getattr(plate_reading, _READERS[settings.model])
    given = {"port" if settings.model in _WITH_PORT else "device_id": settings.port} if settings.port else {}
    return made_or_refused(settings.model, lambda: model(**given))


_READERS = {
    "CLARIOstar": "CLARIOstarBackend",
    "Cytation": "CytationBackend",
    "SynergyH1": "SynergyH1Backend",
    "SpectraMax384Plus": "MolecularDevicesSpectraMax384PlusBackend",
    "SpectraMaxM5": "MolecularDevicesSpectraMaxM5Backend",
    "SpectraMaxGeminiEM": "MolecularDevicesSpectraMaxGeminiEMBackend",
}


def _incubator_backend(settings: IncubatorSettings) -> Any:
    if settings.model == "chatterbox":
        from pylabrobot.storage.chatterbox import IncubatorChatterboxBackend

        return quiet(IncubatorChatterboxBackend)()
    from pylabrobot.storage.cytomat import CytomatBackend

    return made_or_refused(
        settings.model, lambda: CytomatBackend(model=settings.cytomat_type, port=settings.port or "")
    )


def made_or_refused(model: str, build: Any) -> Any:
    """A back end, or in one line why there is none."""
    try:
        return build()
    except (RuntimeError, ImportError, TypeError, ValueError) as error:
        raise MachineError(f"{model}: PyLabRobot cannot connect to it here ({error}).") from error


def quiet(backend: type[Any]) -> type[Any]:
    """A stand-in of PyLabRobot's that does what it does without printing it."""

    def silenced(name: str) -> Any:
        inner = getattr(backend, name)

        async def call(self: Any, *args: Any, **named: Any) -> Any:
            with contextlib.redirect_stdout(io.StringIO()):
                return await inner(self, *args, **named)

        return call

    verbs = [name for name in vars(backend) if not name.startswith("_")]
    return type(backend.__name__, (backend,), {name: silenced(name) for name in verbs})

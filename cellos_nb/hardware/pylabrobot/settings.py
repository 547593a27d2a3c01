"""The configuration of a line of instruments that PyLabRobot drives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cellos_nb.domain.machine import STANDARD_DEVICES, Capabilities
from cellos_nb.domain.settings import Name, PositiveFloat, Settings
from cellos_nb.domain.step import StepKind
from cellos_nb.hardware.configuration import LimitSettings, MachineFile
from cellos_nb.hardware.imaging.settings import ImagingSettings

ASSAYS = {"viability": ("luminescence",), "reporter": ("reporter", "viability")}
"""The signals that each assay is read for."""


class CarrierSettings(Settings):
    """One carrier on the deck."""

    rails: Annotated[int, Field(ge=1, le=54)]
    """The rail at its left edge."""
    type: Name
    """As PyLabRobot calls it: `PLT_CAR_L5AC_A00`."""
    holds: tuple[Name | None, ...]
    """From the first site on: a tip rack of PyLabRobot's, the workflow's name of a labware, or null."""


class LiquidHandlerSettings(Settings):
    """A Hamilton STAR."""

    model: Literal["STAR", "chatterbox"]
    """`chatterbox` moves nothing: PyLabRobot's own stand-in, with its deck, tips and volumes."""
    deck: Literal["STAR", "STARLet"] = "STARLet"
    """Which deck it has."""
    carriers: Annotated[tuple[CarrierSettings, ...], Field(min_length=1)]
    labware: dict[Name, tuple[Name, ...]]
    """For each labware of the workflow PyLabRobot's definitions; that with the right number of wells is taken."""
    limits: LimitSettings = LimitSettings(min_volume_ul=0.5, max_volume_ul=1000.0)
    seconds_per_transfer: PositiveFloat = 12.0
    """That estimates reckon with."""


class SignalSettings(Settings):
    """How one signal is read."""

    mode: Literal["luminescence", "fluorescence", "absorbance"] = "luminescence"
    """What is measured."""
    focal_height_mm: PositiveFloat = 13.0
    """Where the optics focus, in mm above the plate's bottom."""
    excitation_nm: Annotated[int, Field(ge=200, le=1000)] | None = None
    """For fluorescence."""
    emission_nm: Annotated[int, Field(ge=200, le=1000)] | None = None
    """For fluorescence."""
    wavelength_nm: Annotated[int, Field(ge=200, le=1000)] | None = None
    """For absorbance."""

    @model_validator(mode="after")
    def _check_mode(self) -> Self:
        wanted = {
            "luminescence": (),
            "fluorescence": ("excitation_nm", "emission_nm"),
            "absorbance": ("wavelength_nm",),
        }[self.mode]
        for key in ("excitation_nm", "emission_nm", "wavelength_nm"):
            if (key in wanted) != (getattr(self, key) is not None):
                needed = " and ".join(wanted) or "no wavelength"
                raise ValueError(f"{key}: {self.mode} needs {needed}")
        return self


class ReaderSettings(Settings):
    """A plate reader."""

    model: Literal[
        "chatterbox", "CLARIOstar", "Cytation", "SynergyH1", "SpectraMax384Plus", "SpectraMaxM5", "SpectraMaxGeminiEM"
    ]
    """As PyLabRobot calls it; `chatterbox` is PyLabRobot's own stand-in."""
    port: Name | None = None
    """Serial port or device number, where the model needs one."""
    unit: Name = "RLU"
    """Of its numbers."""
    plate: tuple[Name, ...] = ("cor_96_wellplate_360uL_Fb",)
    """PyLabRobot's definitions of the assay plates."""
    signals: dict[Name, SignalSettings] = Field(default_factory=lambda: {"luminescence": SignalSettings()})
    """How each signal of an assay is read."""


class ExposureSettings(Settings):
    """How one channel is imaged."""

    mode: Name
    """As PyLabRobot calls the light and its filters: `DAPI`, `GFP`, `RFP`, `PROPOIDIUM_IODIDE`, `CY5`."""
    exposure_ms: PositiveFloat
    """How long the camera looks."""
    focal_height_mm: PositiveFloat
    """Where the objective focuses."""
    gain: Annotated[float, Field(ge=0, le=30, allow_inf_nan=False)] = 0.0
    """Of the camera, from 0 to 30."""


class ImagerSettings(Settings):
    """A microscope with a camera; its images are kept as TIFFs, and cells are counted in them."""

    model: Literal["chatterbox", "Cytation"]
    """As PyLabRobot calls it; `chatterbox` is a stand-in that sees nothing."""
    port: Name | None = None
    """Number of the device, where there are several."""
    objective: Name = "O_20X_PL_FL"
    """As PyLabRobot calls it: `O_4X_PL_FL`, `O_20X_PL_FL`, `O_40X_PL_FL`."""
    folder: Name = "images"
    """Where the images of each plate go, beside the machine file."""
    plate: tuple[Name, ...] = ("cor_96_wellplate_360uL_Fb",)
    """PyLabRobot's definitions of the assay plates."""
    channels: Annotated[dict[Name, ExposureSettings], Field(min_length=1)]
    """How each stain's channel is imaged, by its name under `reading.stains`."""
    reading: ImagingSettings = ImagingSettings()
    """What the channels show, how large a pixel is, and what is not to be trusted."""

    @model_validator(mode="after")
    def _check_channels(self) -> Self:
        missing = [name for name in self.reading.stains.channels if name not in self.channels]
        if missing:
            raise ValueError(
                f"channels|has no {missing[0]}, which reading.stains names; say how it is imaged, or write null for it"
            )
        return self


class IncubatorSettings(Settings):
    """An incubator whose temperature is set and checked; the plate is put in and taken out by hand or by an arm."""

    model: Literal["chatterbox", "Cytomat"]
    """As PyLabRobot calls it; `chatterbox` is PyLabRobot's own stand-in."""
    port: Name | None = None
    """Serial port."""
    cytomat_type: Name = "C6000"
    """Which Cytomat it is."""
    tolerance_c: PositiveFloat = 1.0
    """How far its temperature may be from what was asked, in °C."""


class PyLabRobotFile(MachineFile):
    """A line of instruments; what it can do follows from what is there."""

    liquid_handler: LiquidHandlerSettings | None = None
    reader: ReaderSettings | None = None
    imager: ImagerSettings | None = None
    incubator: IncubatorSettings | None = None
    timeout_s: PositiveFloat = 300.0
    """After so long a command counts as lost."""
    hour_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 3600.0
    """Seconds on the clock that an hour of incubation takes; none where every instrument is a stand-in."""
    usd_per_hour: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Of the instruments' time, for estimates."""

    @model_validator(mode="after")
    def _check_something_is_there(self) -> Self:
        if not self.instruments:
            raise ValueError("kind|has no instrument; give liquid_handler, reader, imager or incubator")
        if self.reader and self.imager and self.reader.model == self.imager.model == "Cytation":
            raise ValueError(
                "imager|and the reader are one Cytation, which one connection has at a time; give each a machine file "
                "of its own, and put both into a workcell"
            )
        return self

    @property
    def instruments(self) -> tuple[LiquidHandlerSettings | ReaderSettings | ImagerSettings | IncubatorSettings, ...]:
        """Those that are there."""
        each = (self.liquid_handler, self.reader, self.imager, self.incubator)
        return tuple(one for one in each if one is not None)

    @property
    def is_rehearsal(self) -> bool:
        """Whether every instrument is a stand-in that moves nothing."""
        return all(one.model == "chatterbox" for one in self.instruments)

    def files_beside(self, folder: Path) -> Self:
        """With the full name of the folder of images."""
        if self.imager is None:
            return self
        imager = self.imager.model_copy(update={"folder": str(folder / self.imager.folder)})
        return self.model_copy(update={"imager": imager})

    @property
    def capabilities(self) -> Capabilities:
        """What these instruments can do."""
        handler, reader = self.liquid_handler, self.reader
        kinds = [kind for kind in StepKind if kind.moves_liquid] if handler else []
        kinds += [StepKind.INCUBATE] if self.incubator else []
        kinds += [StepKind.READ] if reader else []
        kinds += [StepKind.IMAGE] if self.imager else []
        limits = handler.limits if handler else LimitSettings()
        signals = set(reader.signals) if reader else set()
        is_read_elsewhere = not reader and not self.imager
        assays = [name for name, wanted in ASSAYS.items() if is_read_elsewhere or signals.issuperset(wanted)]
        assays += ["imaging"] if self.imager or is_read_elsewhere else []
        return Capabilities(
            machine=self.name,
            is_simulated=self.is_rehearsal,
            can_reconcile=False,
            step_kinds=tuple(kinds),
            plate_formats=self._formats(),
            assays=tuple(assays),
            min_volume_ul=limits.min_volume_ul,
            max_volume_ul=limits.max_volume_ul,
            seconds_per_transfer=handler.seconds_per_transfer if handler else 1.0,
            usd_per_hour=self.usd_per_hour,
            devices=tuple(device for device in STANDARD_DEVICES if set(device.step_kinds) & set(kinds)),
            hour_s=0.0 if self.is_rehearsal else self.hour_s,
        )

    def _formats(self) -> tuple[int, ...]:
        from cellos_nb.hardware.pylabrobot.labware import n_wells_of

        handled = (
            {n_wells_of(name) for name in self.liquid_handler.labware.get("plate", ())} if self.liquid_handler else None
        )
        read = {n_wells_of(name) for name in self.reader.plate} if self.reader else None
        if self.reader is not None and self.reader.model == "chatterbox":
            read = (read or set()) & {96}  # it answers with 8 rows of 12, whatever plate there is
        imaged = {n_wells_of(name) for name in self.imager.plate} if self.imager else None
        known = [formats for formats in (handled, read, imaged) if formats is not None] or [{96}]
        return tuple(sorted(set.intersection(*known)))

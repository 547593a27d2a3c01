"""The configuration of a bench: its pipettes, where its stocks are kept, and how its reader's files are read."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from cellos_nb.domain.machine import Capabilities
from cellos_nb.domain.settings import Name, PositiveFloat, Settings
from cellos_nb.domain.step import StepKind
from cellos_nb.hardware.configuration import MachineFile

WorklistForm = Literal["csv", "echo", "hamilton", "gwl"]
SIGNALS = {
    "viability": ("luminescence",),
    "reporter": ("reporter", "viability"),
    "imaging": ("cell_count", "DAPI", "GFP", "RFP"),
}
"""What each assay is read for."""


class PipetteSettings(Settings):
    """One pipette, or another way of moving liquid that a person has at hand."""

    name: Name
    """As the protocol calls it: `P20`."""
    min_ul: PositiveFloat
    """The smallest volume that it takes, in µL."""
    max_ul: PositiveFloat
    """The largest volume that it takes at once, in µL."""

    @model_validator(mode="after")
    def _check_range(self) -> Self:
        if self.max_ul < self.min_ul:
            raise ValueError(f"{self.name} cannot take from {self.min_ul:g} to {self.max_ul:g} µL; swap them")
        return self


class StockSettings(Settings):
    """Where a compound is kept."""

    place: str = ""
    """Where the person finds it: `freezer 2, box A`."""
    stock_mm: PositiveFloat | None = None
    """Its concentration; a workflow that reckons with another one is refused."""


class ReaderSettings(Settings):
    """How the files of the plate reader are read."""

    name: Name = "plate reader"
    """As the protocol calls it."""
    unit: Name = "RLU"
    """Of its numbers."""
    form: Literal["list", "grid", "vendor"] = "list"
    """`list`: one row for each well; `grid`: a picture of the plate for each signal; `vendor`: read by allotropy."""
    vendor: Name | None = None
    """For `vendor`: whose file, as allotropy calls it; found by itself when left out."""
    sheet: Name | None = None
    """For a workbook: its sheet; the first when left out."""
    well: Name = "Well"
    """For `list`: the column with the well."""
    plate: Name | None = None
    """The column, or the label of a line, with the plate's barcode; not looked at when left out."""
    signals: dict[Name, Name] = Field(default_factory=dict)
    """For each signal its column, the title above its grid, or its quantity; its own name when left out."""
    decimal: Literal[".", ","] = "."
    """How its files write a decimal fraction."""
    saturated_at: PositiveFloat | None = None
    """From this number on the detector is at its limit."""

    def label_of(self, signal: str) -> str:
        """What a signal is called in the file."""
        return self.signals.get(signal, signal)


class BenchFile(MachineFile):
    """A bench with a person at it."""

    pipettes: Annotated[tuple[PipetteSettings, ...], Field(min_length=1)]
    plate_formats: Annotated[tuple[Literal[6, 12, 24, 48, 96, 384, 1536], ...], Field(min_length=1)] = (96, 384)
    """Wells of the plates that can be worked with."""
    assays: Annotated[tuple[Literal["viability", "reporter", "imaging"], ...], Field(min_length=1)] = ("viability",)
    """The assays that can be read."""
    labware: dict[Name, Name] = Field(default_factory=dict)
    """What the protocol calls labware, by its name in the workflow: `stocks: 1.5 mL tubes`."""
    stocks: dict[Name, StockSettings] = Field(default_factory=dict)
    """For each compound where it is kept, and how concentrated it is."""
    barcode: Literal["optional", "required"] = "optional"
    """Whether every answer must bring the barcode on the plate."""
    worklists: tuple[WorklistForm, ...] = ("csv",)
    """Forms in which worklists are written: `csv`, `echo`, `hamilton`, `gwl`."""
    reader: ReaderSettings = ReaderSettings()
    hour_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 3600.0
    """Seconds on the clock that an hour of incubation takes; less only for practising."""
    seconds_per_transfer: PositiveFloat = 8.0
    """That estimates reckon with."""
    usd_per_hour: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Of the person's time, for estimates."""

    @model_validator(mode="after")
    def _check_signals(self) -> Self:
        possible = [name for assay in self.assays for name in SIGNALS[assay]]
        unknown = next((name for name in self.reader.signals if name not in possible), None)
        if unknown is not None:
            raise ValueError(
                f"reader.signals.{unknown}|is no signal that the assays are read for: {', '.join(possible)}"
            )
        if self.reader.vendor is not None and self.reader.form != "vendor":
            raise ValueError(f"reader.vendor|is read with form: vendor alone, not with form: {self.reader.form}")
        return self

    @property
    def capabilities(self) -> Capabilities:
        """The bench as the compiler sees it; several plates may be in a person's hands at once."""
        return Capabilities(
            machine=self.name,
            is_simulated=False,
            can_reconcile=True,
            step_kinds=tuple(StepKind) if "imaging" in self.assays else _WITHOUT_IMAGES,
            plate_formats=self.plate_formats,
            assays=self.assays,
            min_volume_ul=min(pipette.min_ul for pipette in self.pipettes),
            max_volume_ul=max(pipette.max_ul for pipette in self.pipettes),
            seconds_per_transfer=self.seconds_per_transfer,
            usd_per_hour=self.usd_per_hour,
            devices=(),
            hour_s=self.hour_s,
            is_by_person=True,
        )

    def pipette_for(self, volume_ul: float) -> PipetteSettings | None:
        """The smallest pipette that takes a volume at once; None when none does."""
        fitting = [p for p in self.pipettes if p.min_ul * _LOW <= volume_ul <= p.max_ul * _HIGH]
        return min(fitting, key=lambda pipette: pipette.max_ul, default=None)


_LOW, _HIGH = 1 - 1e-9, 1 + 1e-9
_WITHOUT_IMAGES = tuple(kind for kind in StepKind if kind not in {StepKind.IMAGE, StepKind.STAIN})

"""A workflow: one plate's steps as inert data, so that it can be shown, costed, hashed, approved and resumed."""

from __future__ import annotations

from dataclasses import dataclass

from cellos_nb.domain import codec
from cellos_nb.domain.codec import UNKNOWN_KEYS_ARE_REFUSED
from cellos_nb.domain.plate import PlateLayout
from cellos_nb.domain.step import Step


@dataclass(frozen=True, slots=True, repr=False)
class Workflow:
    """Everything that will happen to one plate."""

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    plate_id: str
    """Barcode of the assay plate: `<campaign>/i003-p1`."""
    assay: str
    layout: PlateLayout
    steps: tuple[Step, ...]
    seed: int = 0
    """Behind the layout's randomisation and, on simulated machines, the noise."""

    def canonical_json(self) -> str:
        """The one JSON text of this workflow; equal workflows have equal texts."""
        return codec.canonical_json(self)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the canonical JSON: what an approval names."""
        return codec.sha256(self)

    def __repr__(self) -> str:
        return (
            f"Workflow({self.plate_id!r}, {self.assay!r}, {len(self.layout.wells)} wells, {len(self.steps)} steps, "
            f"sha256={self.sha256[:12]!r})"
        )

    @classmethod
    def from_json(cls, text: str) -> Workflow:
        """The workflow that `canonical_json` wrote.

        Raises:
            pydantic.ValidationError: the text is no workflow.
        """
        return codec.from_json(cls, text)

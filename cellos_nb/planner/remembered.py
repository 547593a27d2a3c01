"""Wells that were measured before, by the names of their compounds: what classes of curves cannot keep."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class RememberedWells:
    """One entry for each condition of each history, replicates averaged; equally long."""

    cell_lines: tuple[str, ...] = ()
    compounds: tuple[str, ...] = ()
    doses_um: tuple[float, ...] = ()
    responses: tuple[float, ...] = ()
    """Viabilities as fractions of vehicle."""

    @classmethod
    def of(cls, wells: Iterable[tuple[str, str, float, float]]) -> RememberedWells:
        """From cell line, compound, dose in µM and viability of each well; NaN is left out.

        >>> RememberedWells.of([("U2OS", "a", 1.0, 0.4), ("U2OS", "a", 1.0, 0.6)]).responses
        (0.5,)
        """
        found: dict[tuple[str, str, float], list[float]] = {}
        for line, compound, dose_um, viability in wells:
            if np.isfinite(viability):
                found.setdefault((compound, line, float(f"{dose_um:.6g}")), []).append(viability)
        rows = sorted(found.items())
        return cls(
            tuple(line for (_, line, _), _ in rows),
            tuple(compound for (compound, _, _), _ in rows),
            tuple(dose for (_, _, dose), _ in rows),
            tuple(float(np.mean(values)) for _, values in rows),
        )

    def __len__(self) -> int:
        return len(self.responses)

    def and_(self, later: RememberedWells) -> RememberedWells:
        """Both histories."""
        return RememberedWells(
            self.cell_lines + later.cell_lines,
            self.compounds + later.compounds,
            self.doses_um + later.doses_um,
            self.responses + later.responses,
        )

    def about(self, compounds: Collection[str]) -> RememberedWells:
        """Those of these compounds."""
        wanted = set(compounds)
        kept = [i for i, compound in enumerate(self.compounds) if compound in wanted]
        columns = (self.cell_lines, self.compounds, self.doses_um, self.responses)
        lines, names, doses, responses = (tuple(column[i] for i in kept) for column in columns)
        return RememberedWells(lines, names, doses, responses)  # type: ignore[arg-type]  # columns of several types


NOTHING = RememberedWells()
"""No well is remembered."""

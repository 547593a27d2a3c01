"""Which wells of a table are worth joint samples: their expected improvement over all curves, without sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellos_nb.planner.curves import Array
from cellos_nb.planner.likelihood import Index
from cellos_nb.planner.model import DoseResponseGP

@dataclass(frozen=True, slots=True)
class Layout:
    """The wells of a table by compound, cell line and dose."""

    log10_doses: Array
    """Distinct, ascending, in log10 µM."""
    dose: Index
    """Shape (n_wells,): place of the well's dose among them."""
    compounds: tuple[str, ...]
    compound: Index
    """Shape (n_wells,): place of its compound."""
    wells: dict[tuple[str, str], Index]
    """By compound and cell line: their wells."""

    @classmethod
    def of(cls, lines: Sequence[str], compounds: Sequence[str], log10_doses_um: Array) -> Layout:
        """From one cell line, compound and dose per well."""
        doses, dose = np.unique(log10_doses_um, return_inverse=True)
        names, compound = np.unique(np.array(compounds), return_inverse=True)
        members: dict[tuple[str, str], list[int]] = {}
        for i, pair in enumerate(zip(compounds, lines, strict=True)):
            members.setdefault(pair, []).append(i)
        wells = {pair: np.array(rows, dtype=np.int64) for pair, rows in members.items()}
        return cls(doses, dose.astype(np.int64), tuple(names.tolist()), compound.astype(np.int64), wells)


class Promise:
    """Scores of all wells under one model; a score is `offset + sign × response`, and larger is better."""

    def __init__(self, model: DoseResponseGP, layout: Layout, offset: Array, sign: float) -> None:
        """What is expected of each well.

        Args:
            model: fitted.
            layout: of the table.
            offset: shape (n_doses,), of the scores at each of the layout's doses.
            sign: 1, or -1 where responses are to be small.
        """
        self._layout, self._sign = layout, sign
        known = self._known = model.posterior
        self._curves = np.ascontiguousarray((offset + sign * known.library.responses(layout.log10_doses)).T)
        self._features = known.residual.features(layout.log10_doses)
        self._kinds = np.array([known.kinds_of(name) for name in layout.compounds], dtype=np.float32)
        self._seen = [
            (layout.wells[name, line], one, compound.weights[line])
            for name, compound in known.compounds.items()
            for line, one in compound.lines.items()
        ]
        self.mean = self._of_unseen(self._curves)
        """Shape (n_wells,)."""
        if self._seen:
            of_doses = np.array([weights for _, _, weights in self._seen]) @ self._curves.T.astype(np.float32)
            for (rows, one, weights), mean in zip(self._seen, of_doses, strict=True):
                shift = self._features @ (one.gain @ (one.response - one.predicted @ weights))
                self.mean[rows] = (mean + sign * shift)[layout.dose[rows]]

    def improvement(self, incumbent: float) -> Array:
        """Shape (n_wells,): by how much each well's score is expected to exceed `incumbent`, the residual left out."""
        above = self._curves - incumbent
        result = self._of_unseen(np.maximum(above, 0.0))
        above = above.astype(np.float32)
        for rows, one, weights in self._seen:
            towards = (self._sign * (self._features @ one.gain)).astype(np.float32)
            scores = towards @ (one.response[:, None].astype(np.float32) - one.predicted)
            scores += above
            np.maximum(scores, 0.0, out=scores)
            result[rows] = (scores @ weights)[self._layout.dose[rows]]
        return result

    def _of_unseen(self, of_curves: Array) -> Array:
        """Expectations as long as nothing is known of a well's own cell line and compound."""
        by_kind = self._known.library.kinds.conditional_32 @ of_curves.T.astype(np.float32)
        result: Array = (self._kinds @ by_kind).astype(float)[self._layout.compound, self._layout.dose]
        return result

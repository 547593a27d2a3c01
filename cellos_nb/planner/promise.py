"""Which wells of a table are worth joint samples: their expected improvement over all curves, without sampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellos_nb.planner.curves import Array
from cellos_nb.planner.likelihood import Index, Single
from cellos_nb.planner.model import DoseResponseGP

_TOGETHER = 16
"""Measured curves whose scores are held at once: as many as a processor's cache holds."""


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
        self._layout = layout
        known = self._known = model.posterior
        self._kinds = np.array([known.kinds_of(name) for name in layout.compounds], dtype=np.float32)
        seen = [
            (layout.wells[name, line], one, compound.weights[line])
            for name, compound in known.compounds.items()
            for line, one in compound.lines.items()
            if (name, line) in layout.wells
        ]
        doses = np.concatenate([layout.log10_doses, *(one.log10_dose for _, one, _ in seen)])
        doses, column = np.unique(doses, return_inverse=True)
        own, column = np.split(column, [len(layout.log10_doses)])
        responses = known.library.responses(doses).T.astype(np.float32)
        self._scores = offset[:, None].astype(np.float32) + np.float32(sign) * responses[own]
        self.mean = self._of_unseen(self._scores)
        """Shape (n_wells,)."""
        self._n_seen = len(seen)
        if not seen:
            return
        # A well's score, given the curve, is linear in the curve's responses at all doses: its own and those observed.
        owner = np.repeat(np.arange(len(seen)), [len(one.response) for _, one, _ in seen])
        rows = [rows for rows, _, _ in seen]
        self._rows, self._of = np.concatenate(rows), np.repeat(np.arange(len(seen)), [len(each) for each in rows])
        features = sign * known.residual.features(layout.log10_doses)
        towards = (features @ np.hstack([one.gain for _, one, _ in seen])).T
        linear = np.zeros((len(seen), len(own), len(doses) + 1))
        linear[:, np.arange(len(own)), own] = sign
        linear[:, :, -1] = offset
        np.subtract.at(linear, (owner[:, None], np.arange(len(own)), column[:, None]), towards)
        observed = np.concatenate([one.response for _, one, _ in seen])
        np.add.at(linear[:, :, -1], owner, towards * observed[:, None])
        self._linear = linear.astype(np.float32)
        self._responses = np.vstack([responses, np.ones((1, responses.shape[1]), dtype=np.float32)])
        self._weights = np.array([weights for _, _, weights in seen])
        expected = self._linear @ (self._weights @ self._responses.T)[:, :, None]
        self.mean[self._rows] = expected[self._of, layout.dose[self._rows], 0]

    def improvement(self, incumbent: float) -> Array:
        """Shape (n_wells,): by how much each well's score is expected to exceed `incumbent`, the residual left out."""
        result = self._of_unseen(np.maximum(self._scores - np.float32(incumbent), 0.0))
        if not self._n_seen:
            return result
        gains = np.empty(self._linear.shape[:2], dtype=np.float32)
        for first in range(0, self._n_seen, _TOGETHER):
            part = slice(first, first + _TOGETHER)
            linear = self._linear[part].copy()
            linear[:, :, -1] -= np.float32(incumbent)
            scores = linear.reshape(-1, linear.shape[2]) @ self._responses
            np.maximum(scores, 0.0, out=scores)
            gains[part] = (scores.reshape(*linear.shape[:2], -1) @ self._weights[part, :, None])[:, :, 0]
        result[self._rows] = gains[self._of, self._layout.dose[self._rows]]
        return result

    def _of_unseen(self, of_curves: Single) -> Array:
        """Expectations as long as nothing is known of a well's own cell line and compound."""
        by_kind = self._known.library.kinds.conditional_32 @ of_curves.T
        result: Array = (self._kinds @ by_kind).astype(float)[self._layout.compound, self._layout.dose]
        return result

"""Joint samples from what is known of curves: a kind of every compound, and curves of its cell lines that suit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from cellos_nb.planner.curves import Array, spread_evenly
from cellos_nb.planner.exchange import Places, exchanged
from cellos_nb.planner.likelihood import GroupPosterior, Index, Single
from cellos_nb.planner.posterior import Posterior

_LENGTH_OF_BANK = 6
"""Normal numbers for departures from curves, in samples of one pool; drawing them costs more than using them."""


@dataclass(frozen=True, slots=True)
class Block:
    """The part of a pool that is one compound on one cell line."""

    compound: str
    cell_line: str
    rows: Index
    """Places in the pool."""
    doses: Index
    """Of each row: place of its dose among the pool's."""
    seen: GroupPosterior | None
    """What was measured of the compound on the cell line."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Wells whose responses are in question, and what every curve and the residual say of their doses."""

    known: Posterior
    blocks: tuple[Block, ...]
    block: Index
    """Shape (n_rows,): number of each row's block."""
    dose: Index
    """Shape (n_rows,): place of its dose among the distinct ones."""
    at_doses: Array
    """Shape (n_doses, n_curves): response of every curve at every distinct dose."""
    features: Array
    """Shape (n_doses, n_nodes), of the residual."""

    @classmethod
    def of(cls, known: Posterior, cell_lines: Sequence[str], compounds: Sequence[str], doses_um: ArrayLike) -> Pool:
        """From cell line, compound and dose (µM) of every well; blocks stand in the order of their names."""
        distinct, column = np.unique(np.log10(np.asarray(doses_um, dtype=float)), return_inverse=True)
        pairs = list(zip(compounds, cell_lines, strict=True))
        names = sorted(set(pairs))
        number = {pair: i for i, pair in enumerate(names)}
        block = np.array([number[pair] for pair in pairs], dtype=np.int64)
        order, ends = np.argsort(block, kind="stable"), np.cumsum(np.bincount(block)).tolist()
        rows = [order[start:stop] for start, stop in zip([0, *ends], ends, strict=False)]
        blocks = tuple(Block(*pair, own, column[own], known.seen(*pair)) for pair, own in zip(names, rows, strict=True))
        at_doses = np.ascontiguousarray(known.library.responses(distinct).T)
        return cls(known, blocks, block, column, at_doses, known.residual.features(distinct))

    def curves(self, block: Block) -> Array:
        """Shape (n_curves, n_rows): every curve with the residual that the data leave it."""
        table = self.at_doses[block.doses].T
        if block.seen is None:
            return table
        shifted: Array = table + ((self.features[block.doses] @ block.seen.gain) @ block.seen.misfit).T
        return shifted

    def root(self, block: Block) -> Array:
        """Shape (n_rows, n_nodes): a root of the residual's remaining covariance."""
        root = self.features[block.doses]
        return root if block.seen is None else root @ block.seen.root

    def draw(self, n: int, rng: np.random.Generator) -> Places:
        """Curves of each block in n joint posterior samples, shape (n_blocks, n)."""
        return draw_curves(self.known, [(block.compound, block.cell_line) for block in self.blocks], n, rng)

    def sample(self, drawn: Places, rng: np.random.Generator) -> Single:
        """Shape (n_rows, n): responses with each block's drawn curves.

        Departures from curves are cut from one sequence of normal numbers, at places of each block's own, so that no
        two blocks share a number in one sample as long as there are fewer blocks than places.
        """
        n, n_curves = drawn.shape[1], np.int32(self.at_doses.shape[1])
        features = self.features.astype(np.float32)
        normal = rng.standard_normal((features.shape[1], _LENGTH_OF_BANK * n), dtype=np.float32)
        starts = np.resize(rng.permutation(normal.shape[1] - n), len(self.blocks))
        table = self.at_doses.astype(np.float32).ravel()
        result = table.take(drawn[self.block] + self.dose.astype(np.int32)[:, None] * n_curves)
        seen = np.array([i for i, block in enumerate(self.blocks) if block.seen is not None], dtype=np.int64)
        is_seen = np.zeros(len(self.blocks), dtype=bool)
        is_seen[seen] = True
        rows = np.flatnonzero(~is_seen[self.block])
        departures = sliding_window_view(features @ normal, n, axis=1)
        result[rows] += departures[self.dose[rows], starts[self.block[rows]]]
        if len(seen):
            rows = np.concatenate([self.blocks[i].rows for i in seen.tolist()])
            result[rows] += self._departures_of_seen(rows, seen, drawn, normal, starts)
        return result

    def _departures_of_seen(self, rows: Index, seen: Index, drawn: Places, normal: Single, starts: Index) -> Single:
        """Shape (n_rows, n): of rows in the order of their blocks, all measured, from the curves drawn."""
        n, features = drawn.shape[1], self.features.astype(np.float32)
        known = [one for i in seen.tolist() if (one := self.blocks[i].seen) is not None]
        own, dose = np.searchsorted(seen, self.block[rows]), self.dose[rows]
        roots = features @ np.array([one.root for one in known], dtype=np.float32)
        result = np.empty((len(rows), n), dtype=np.float32)
        ends = np.searchsorted(own, np.arange(len(seen) + 1)).tolist()
        for start, stop, cut in zip(ends[:-1], ends[1:], starts[seen].tolist(), strict=True):
            np.matmul(roots[own[start], dose[start:stop]], normal[:, cut : cut + n], out=result[start:stop])
        # Observed minus curve, for all observations at once; each counts for the rows of its own block.
        owner = np.repeat(np.arange(len(seen)), [len(one.response) for one in known])
        predicted = np.concatenate([one.predicted for one in known])
        at = np.arange(len(owner), dtype=np.int32) * np.int32(predicted.shape[1])
        misfit = -predicted.ravel().take(drawn[seen[owner]] + at[:, None])
        misfit += np.concatenate([one.response for one in known]).astype(np.float32)[:, None]
        gain = features @ np.hstack([one.gain for one in known]).astype(np.float32)
        result += (gain[dose] * (owner == own[:, None])) @ misfit
        return result


def draw_curves(known: Posterior, pairs: Sequence[tuple[str, str]], n: int, rng: np.random.Generator) -> Places:
    """Curves of compounds on cell lines in n joint posterior samples, shape (n_pairs, n).

    Kinds, and curves of measured pairs, are spread evenly over their own probabilities, each in random order. Within a
    compound the samples then exchange curves until curves and kinds belong together: a Metropolis chain over all
    orders, whose stationary distribution is the posterior.

    Args:
        known: the posterior.
        pairs: compound and cell line, each once.
        n: joint samples.
        rng: what chance decides.
    """
    names = list(dict.fromkeys(compound for compound, _ in pairs))
    number = {name: i for i, name in enumerate(names)}
    compound = np.array([number[name] for name, _ in pairs], dtype=np.int64)
    table = known.library.kinds
    kinds = _spread(np.array([known.kinds_of(name) for name in names]), n, rng)
    order = rng.permuted(np.tile(np.arange(n), (len(names), 1)), axis=1)
    curves = np.empty((len(pairs), n), dtype=np.int32)
    is_seen = np.array([known.seen(*pair) is not None for pair in pairs])
    seen = np.flatnonzero(is_seen)
    if len(seen):
        weights = np.array([known.compounds[name].weights[line] for name, line in (pairs[i] for i in seen.tolist())])
        drawn = _spread(weights, n, rng)
        # Alone in the pool, a measured pair needs no kind.
        shared = np.flatnonzero(np.bincount(compound)[compound[seen]] > 1)
        drawn[shared] = exchanged(table.log_density, kinds[compound[seen[shared]]], drawn[shared], rng)
        curves[seen] = np.take_along_axis(drawn, order[compound[seen]], axis=1)
    unseen = np.flatnonzero(~is_seen)
    kinds = np.take_along_axis(kinds, order, axis=1)
    uniform = rng.random((len(unseen), n), dtype=np.float32)
    n_quantiles = table.quantiles.shape[1]
    places = (uniform * n_quantiles).astype(np.int32) + kinds[compound[unseen]] * np.int32(n_quantiles)
    curves[unseen] = table.quantiles.ravel().take(places)
    return curves


def _spread(weights: Array, n: int, rng: np.random.Generator) -> Places:
    """Shape (n_rows, n): places drawn by each row of weights, evenly spread, ascending."""
    return spread_evenly(weights, n, rng.random((len(weights), 1))).astype(np.int32)

"""Joint samples from what is known of curves: a kind of every compound, and curves of its cell lines that suit it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellos_nb.planner.curves import Array, spread_evenly
from cellos_nb.planner.likelihood import GroupPosterior, Index
from cellos_nb.planner.posterior import Posterior

_LEAST_DENSITY = np.float32(1e-18)
"""Of a curve under a kind; the product of two is a normal number."""
_SWEEPS = 4
"""Rounds of exchanges. After one, a seventh of the covariance between cell lines of a compound was missing, and
campaigns found less; after four, a fiftieth."""
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
    n_rows: int
    at_doses: Array
    """Shape (n_doses, n_curves): response of every curve at every distinct dose."""
    features: Array
    """Shape (n_doses, n_nodes), of the residual."""

    @classmethod
    def of(cls, known: Posterior, cell_lines: Sequence[str], compounds: Sequence[str], doses_um: ArrayLike) -> Pool:
        """From cell line, compound and dose (µM) of every well; blocks stand in the order of their names."""
        distinct, column = np.unique(np.log10(np.asarray(doses_um, dtype=float)), return_inverse=True)
        members: dict[tuple[str, str], list[int]] = {}
        for i, pair in enumerate(zip(compounds, cell_lines, strict=True)):
            members.setdefault(pair, []).append(i)
        rows = [(pair, np.array(places, dtype=np.int64)) for pair, places in sorted(members.items())]
        blocks = tuple(Block(*pair, places, column[places], known.seen(*pair)) for pair, places in rows)
        at_doses = np.ascontiguousarray(known.library.responses(distinct).T)
        return cls(known, blocks, len(column), at_doses, known.residual.features(distinct))

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

    def draw(self, n: int, rng: np.random.Generator) -> Index:
        """Curves of each block in n joint posterior samples, shape (n_blocks, n)."""
        return draw_curves(self.known, [(block.compound, block.cell_line) for block in self.blocks], n, rng)

    def sample(self, drawn: Index, rng: np.random.Generator) -> Array:
        """Shape (n_rows, n): responses with each block's drawn curves.

        Departures from curves are cut from one sequence of normal numbers, at places of each block's own, so that no
        two blocks share a number in one sample as long as there are fewer blocks than places.
        """
        n = drawn.shape[1]
        result = np.empty((self.n_rows, n))
        normal = rng.standard_normal((self.features.shape[1], _LENGTH_OF_BANK * n), dtype=np.float32)
        starts = np.resize(rng.permutation(normal.shape[1] - n), len(self.blocks)).tolist()
        before = self.features.astype(np.float32) @ normal
        for block, curves, start in zip(self.blocks, drawn, starts, strict=True):
            values = self.at_doses[block.doses].take(curves, axis=1)
            cut = slice(start, start + n)
            if block.seen is None:
                values += before[block.doses, cut]
            else:
                features = self.features[block.doses]
                values += (features @ block.seen.root).astype(np.float32) @ normal[:, cut]
                misfit = block.seen.response[:, None] - block.seen.predicted.take(curves, axis=1)
                values += (features @ block.seen.gain) @ misfit
            result[block.rows] = values
        return result


def draw_curves(known: Posterior, pairs: Sequence[tuple[str, str]], n: int, rng: np.random.Generator) -> Index:
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
    kinds = _spread(np.array([known.kinds_of(name) for name in names]), n, rng)[compound]
    is_seen = np.array([known.seen(*pair) is not None for pair in pairs])
    curves = np.empty((len(pairs), n), dtype=np.int64)
    quantiles, unseen = known.library.kinds.quantiles, np.flatnonzero(~is_seen)
    uniform = rng.random((len(unseen), n), dtype=np.float32)
    curves[unseen] = quantiles[kinds[unseen], (uniform * quantiles.shape[1]).astype(np.int64)]
    seen = np.flatnonzero(is_seen)
    if len(seen):
        weights = np.array([known.compounds[name].weights[line] for name, line in (pairs[i] for i in seen.tolist())])
        curves[seen] = _spread(weights, n, rng)
    # Alone in the pool, a measured pair needs no kind.
    shared = seen[np.bincount(compound)[compound[seen]] > 1]
    curves[shared] = _exchanged(known.library.kinds.conditional_32, kinds[shared], curves[shared], rng)
    return curves


def _spread(weights: Array, n: int, rng: np.random.Generator) -> Index:
    """Shape (n_rows, n): places drawn by each row of weights, evenly spread, in random order."""
    return rng.permuted(spread_evenly(weights, n, rng.random((len(weights), 1))), axis=1)


def _exchanged(conditional: NDArray[np.float32], kinds: Index, curves: Index, rng: np.random.Generator) -> Index:
    """Curves in an order that suits the kinds, each row by itself; shapes (n_rows, n)."""
    n_rows, n = curves.shape
    table = np.maximum(conditional, _LEAST_DENSITY).ravel()
    # Samples first: neighbours in memory then belong to the same samples, whatever the stride.
    starts, curve = np.ascontiguousarray(kinds.T) * conditional.shape[1], np.ascontiguousarray(curves.T)
    density = table.take(starts + curve)
    for stride in _SWEEPS * [2**i for i in range(int(np.log2(n)))][::-1] if n_rows else ():
        whole = n - n % (2 * stride)
        cut = (whole // (2 * stride), 2, stride, n_rows)
        (start_a, start_b), (a, b), (now_a, now_b) = (
            np.swapaxes(each[:whole].reshape(cut), 0, 1) for each in (starts, curve, density)
        )
        new_a, new_b = table.take(start_a + b), table.take(start_b + a)
        takes = rng.random(a.shape, dtype=np.float32) * now_a * now_b < new_a * new_b
        step = (b - a) * takes
        a += step
        b -= step
        np.copyto(now_a, new_a, where=takes)
        np.copyto(now_b, new_b, where=takes)
    return curve.T

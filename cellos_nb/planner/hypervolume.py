"""Two objectives at once: the front of what none beats, the area it covers, and by how much a candidate adds to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from cellos_nb.errors import AnalysisError
from cellos_nb.planner.curves import Array


def pareto_front(values: ArrayLike) -> list[int]:
    """The rows of a table, shape (n, n_objectives), that no other row beats; larger is better; equals once each.

    >>> pareto_front([[0.9, 0.2], [0.5, 0.5], [0.4, 0.4], [0.1, 0.8]])
    [0, 1, 3]
    """
    import moocore

    table = _table(values)
    kept = moocore.is_nondominated(table, maximise=True)
    rows: list[int] = np.flatnonzero(kept).tolist()
    return rows


def hypervolume(values: ArrayLike, reference: ArrayLike) -> float:
    """The volume between `reference` and the front of `values`, shape (n, n_objectives); larger is better.

    Source: Guerreiro, Fonseca & Paquete 2021, doi:10.1145/3453474; computed by moocore.
    """
    import moocore

    table, worst = _table(values), np.asarray(reference, dtype=float)
    if worst.shape != table.shape[1:]:
        raise AnalysisError(
            f"hypervolume: {table.shape[1]} objectives, but a reference of {worst.size}; give one each."
        )
    inside = table[(table > worst).all(axis=1)]
    return float(moocore.hypervolume(inside, ref=worst, maximise=True)) if len(inside) else 0.0


def hypervolume_gain(front: Array, candidates: Array, reference: Array) -> Array:
    """Shape (n,): by how much each candidate, shape (n, 2), enlarges the area that `front`, shape (k, 2), covers.

    Source: Emmerich et al. 2006, doi:10.1109/TEVC.2005.859463, for two objectives: the front cuts the first objective
    into strips, and a candidate adds its part above the front in each.
    """
    kept = front[(front > reference).all(axis=1)]
    order = np.lexsort((-kept[:, 1], -kept[:, 0]))
    first, second = kept[order, 0], np.maximum.accumulate(kept[order, 1]) if len(kept) else kept[:, 1]
    # Strip j lies between right[j + 1] and right[j] along the first objective; the front's height there is floor[j].
    edges = np.concatenate([[np.inf], first, [reference[0]]])
    floor = np.concatenate([[reference[1]], second])
    width = np.clip(np.minimum(candidates[:, :1], edges[None, :-1]) - edges[None, 1:], 0.0, None)
    height = np.clip(candidates[:, 1:] - floor[None], 0.0, None)
    gain: Array = (width * height).sum(axis=1)
    return gain


def sampled_hypervolume_gain(objectives: Array, known: list[int], reference: Array) -> Array:
    """Expected gain of every candidate over what is known, in joint posterior samples; shape (n_candidates,).

    Args:
        objectives: shape (n_samples, n_candidates, 2), larger is better.
        known: candidates that were measured, are under way, or were chosen before in the batch.
        reference: shape (2,), the worst that counts.

    Source: Daulton et al. 2021, arXiv:2105.08195, noisy expected hypervolume improvement, batches by their samples.
    """
    gains = [hypervolume_gain(sample[known], sample, reference) for sample in objectives]
    expected: Array = np.mean(gains, axis=0)
    return expected


def _table(values: ArrayLike) -> Array:
    table = np.asarray(values, dtype=float)
    if table.ndim != 2 or not len(table) or not np.isfinite(table).all():
        raise AnalysisError("A front needs a table of finite numbers, one row for each answer; leave missing ones out.")
    return table

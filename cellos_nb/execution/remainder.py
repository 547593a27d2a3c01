"""What is left of a step of which a part took effect."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from cellos_nb.domain.step import Step, TransferList
from cellos_nb.errors import InputError


def remainder(step: Step, n_done: int) -> Step:
    """The step without its first transfers, under a name of its own; its source wells hold what was left of them.

    >>> remainder(step, 37).uid  # doctest: +SKIP
    '3-dose-from-38'

    Raises:
        InputError: the step has not so many transfers, or none.
    """
    if n_done == 0:
        return step
    moves = step.transfers
    if moves is None or not 0 < n_done < len(moves):
        n = 0 if moves is None else len(moves)
        raise InputError(
            f"{step.plate_id}, step {step.uid}: {n_done} of its {n} transfers cannot be done with others left. "
            f"Give a number from 0 to {max(n - 1, 0)}, or mark the step done."
        )
    drawn: defaultdict[tuple[str, str], float] = defaultdict(float)
    for labware, well, volume_ul in zip(
        moves.source_labware[:n_done], moves.source_well[:n_done], moves.volume_ul[:n_done], strict=True
    ):
        drawn[labware, well] += volume_ul
    return replace(
        step,
        uid=f"{step.uid}-from-{n_done + 1}",
        fills=tuple(replace(f, volume_ul=f.volume_ul - drawn[f.labware, f.well]) for f in step.fills),
        transfers=_after(moves, n_done),
    )


def _after(moves: TransferList, n_done: int) -> TransferList:
    return replace(
        moves,
        source_labware=moves.source_labware[n_done:],
        source_well=moves.source_well[n_done:],
        destination_labware=moves.destination_labware[n_done:],
        destination_well=moves.destination_well[n_done:],
        volume_ul=moves.volume_ul[n_done:],
    )

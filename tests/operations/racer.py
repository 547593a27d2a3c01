"""A process that wants the last of something, as another one does at the same moment.

Says `ready`, waits for a line, then submits batches of one plate until so many were tried; says of each what came of
it.
"""

from __future__ import annotations

import sys

from stocked import asked

from cellos_nb.errors import OutOfStockError
from cellos_nb.execution.autonomous import AutonomousExecutor
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.lab import Lab


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(database: str, n_batches: int, first_seed: int) -> None:
    with Lab.open(database, machine=BiologicalVirtualMachine()) as lab:
        executor = AutonomousExecutor(lab)
        tell("ready")
        sys.stdin.readline()
        for seed in range(first_seed, first_seed + n_batches):
            try:
                executor.submit(asked(), seed=seed)
                tell("got it")
            except OutOfStockError as error:
                tell(str(error))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))

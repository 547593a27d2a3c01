"""Simulated plates with known faults, for measuring how often each is found and how often one is cried in vain."""

import numpy as np

from cellos_nb.domain.plate import (
    PlateLayout,
    WellAssignment,
    WellRole,
    outer_wells,
    plate_format,
    well_names,
    well_position,
)
from cellos_nb.domain.reading import Channel, Reading


def faulty_plate(
    seed, *, n_wells=96, replicates=3, noise=0.05, edge=0.0, drift=0.0, bubble=1.0, swap=False, n_vehicle=16
):
    """A randomised plate of full dose-response curves and controls.

    `edge` is the share that rim wells lose, `drift` the rise from the first column to the last, `bubble` the factor on
    one well, `swap` exchanges two rows. Returns layout, reading, the well with the bubble, and the two rows.
    """
    rng = np.random.default_rng(seed)
    names, fmt = list(well_names(n_wells)), plate_format(n_wells)
    order = rng.permutation(n_wells)
    values, wells = np.zeros(n_wells), []
    n_positive = n_vehicle // 2
    n_samples = (n_wells - n_vehicle - n_positive) // replicates
    doses = np.geomspace(0.001, 10, 8)
    for k, index in enumerate(order):
        name = names[index]
        if k < n_vehicle:
            well, level = WellAssignment(name, WellRole.VEHICLE, "U2OS"), 1.0
        elif k < n_vehicle + n_positive:
            well, level = WellAssignment(name, WellRole.POSITIVE, "U2OS", "staurosporine", 10.0), 0.05
        else:
            sample = (k - n_vehicle - n_positive) // replicates
            if sample >= n_samples:
                continue
            compound, dose = sample // 8, float(doses[sample % 8])
            well = WellAssignment(name, WellRole.SAMPLE, "U2OS", f"c{compound}", dose, f"e{sample}")
            half = 10 ** np.random.default_rng([7, compound]).uniform(-2.5, 1.5)
            level = 0.1 + 0.9 / (1 + dose / half)
        wells.append((index, well))
        values[index] = level
    values *= np.exp(noise * rng.standard_normal(n_wells))
    position = np.array([well_position(name, n_wells) for name in names])
    values[[name in outer_wells(n_wells) for name in names]] *= 1 - edge
    values *= 1 + drift * position[:, 1] / (fmt.n_columns - 1)
    bad = names[rng.choice([index for index, well in wells if well.role is WellRole.SAMPLE])]
    values[names.index(bad)] *= bubble
    rows = tuple(sorted(rng.choice(fmt.n_rows, 2, replace=False).tolist()))
    if swap:
        grid = values.reshape(fmt.n_rows, fmt.n_columns)
        grid[list(rows)] = grid[list(rows[::-1])]
    wells.sort(key=lambda pair: pair[0])
    layout = PlateLayout(n_wells, tuple(well for _, well in wells))
    used = [index for index, _ in wells]
    channel = Channel("luminescence", "RLU", tuple((1e5 * values[used]).tolist()))
    reading = Reading("c/p1", "3-read", tuple(names[index] for index in used), (channel,))
    return layout, reading, bad, rows

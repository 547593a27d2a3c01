"""A bank simulated many times over: all runs at once, the master bank first, then the working bank from its vials."""

from __future__ import annotations

import numpy as np

from cellos_nb.errors import ConfigError, InputError
from cellos_nb.operations.banks.chance import Calm, Chance
from cellos_nb.operations.banks.config import MAX_RUNS, BankConfig
from cellos_nb.operations.banks.inputs import Floats, Inputs, Number, inputs_of, line_of, require_room
from cellos_nb.operations.banks.outcome import BankRuns, StageRuns
from cellos_nb.operations.banks.parameters import BankParameters, load_bank_parameters, load_bank_prices
from cellos_nb.operations.banks.release import test_and_release
from cellos_nb.operations.banks.stage import CLEAN, Beginning, Culture, Setup
from cellos_nb.operations.banks.trouble import NO_TROUBLE, Trouble


def simulate(
    config: BankConfig,
    *,
    n_runs: int = 1000,
    seed: int = 1,
    trouble: Trouble = NO_TROUBLE,
    trouble_in: str | None = None,
    inputs: Inputs[Number] | None = None,
    copies: int = 1,
) -> BankRuns:
    """Makes a bank `n_runs` times.

    Args:
        config: the bank.
        n_runs: how often.
        seed: the same seed gives the same runs, and the same luck to each of them under other settings.
        trouble: what goes wrong on purpose, in …
        trouble_in: … this bank, `master` or `working`; the first that is made when left out.
        inputs: other numbers than those of its files, one for all runs or one for each.
        copies: all runs so many times over, with the same luck in each copy and other inputs: the result has
            `n_runs * copies` runs, copy after copy.

    Raises:
        ConfigError: the parameters do not know the line, or the flasks cannot hold the cells that are needed.
        InputError: a number of runs, a seed or a bank that cannot be.
    """
    if not 1 <= n_runs <= MAX_RUNS // copies:
        raise InputError(f"{n_runs} runs cannot be simulated; give 1 to {MAX_RUNS // copies:,}.")
    if seed < 0:
        raise InputError(f"The seed {seed} is below 0; give 0 or more.")
    parameters = load_bank_parameters(config.parameters)
    require_room(config, parameters)
    names = [name for name, _ in config.stages]
    if trouble_in is not None and trouble_in not in names:
        raise InputError(f"There is no {trouble_in} bank in this file; possible: {', '.join(names)}.")
    if trouble.hidden_from and all(kind.seen_after_days is not None for kind in parameters.contamination.kinds):
        raise ConfigError("contamination.kinds: none stays unseen (seen_after_days: null), so none can come in hidden.")
    chosen = inputs if inputs is not None else inputs_of(config, parameters)
    chances = {name: Chance(seed, name, n_runs, copies) for name in names}
    befallen = trouble_in or names[0]
    stages = _make(config, parameters, chosen, chances, {befallen: trouble})
    return BankRuns(config, seed, n_runs * copies, trouble, stages)


def rehearse(config: BankConfig) -> BankRuns:
    """One run in which everything is as it is on average and nothing rare happens.

    Raises:
        ConfigError: as `simulate`.
    """
    parameters = load_bank_parameters(config.parameters)
    require_room(config, parameters)
    chances: dict[str, Chance] = {name: Calm() for name, _ in config.stages}
    stages = _make(config, parameters, inputs_of(config, parameters), chances, {})
    return BankRuns(config, 0, 1, NO_TROUBLE, stages)


def _make(
    config: BankConfig,
    parameters: BankParameters,
    inputs: Inputs[Number],
    chances: dict[str, Chance],
    troubles: dict[str, Trouble],
) -> tuple[StageRuns, ...]:
    prices, line = load_bank_prices(config.prices), line_of(config, parameters)
    made: list[StageRuns] = []
    for name, stage in config.stages:
        chance = chances[name]
        spread = inputs.spread(chance.n_runs)
        trouble = troubles.get(name, NO_TROUBLE)
        setup = Setup(config, name, stage, parameters, prices, spread, line, trouble)
        beginning = _from_bank(made[-1], spread) if made else _from_starting_vials(config, spread)
        culture = Culture(setup, beginning, chance)
        made.append(test_and_release(culture, culture.make()))
    return tuple(made)


def _from_starting_vials(config: BankConfig, inputs: Inputs[Floats]) -> Beginning:
    starting, shape = config.starting, inputs.thaw_cells.shape
    return Beginning(
        vials=np.full(shape, float(starting.vials)),
        cells=inputs.thaw_cells,
        viability=inputs.thaw_viability,
        passage=np.full(shape, starting.passage),
        doublings=np.full(shape, starting.doublings),
        contamination=np.full(shape, CLEAN),
    )


def _from_bank(bank: StageRuns, inputs: Inputs[Floats]) -> Beginning:
    """The vials of a bank; what its cells lived through goes on in the next."""
    is_there = bank.is_released & (bank.viability > 0)
    return Beginning(
        vials=bank.vials,
        cells=np.where(is_there, bank.cells_per_vial / np.where(is_there, bank.viability, 1.0), inputs.thaw_cells),
        viability=np.where(is_there, bank.post_thaw, 0.0),
        passage=bank.passage,
        doublings=bank.doublings,
        contamination=bank.contamination,
    )

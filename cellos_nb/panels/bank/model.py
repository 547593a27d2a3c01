"""What the bank panel shows: many runs of a bank, the same with a trouble, and what they depend on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from cellos_nb.errors import ConfigError
from cellos_nb.operations.banks.config import BankConfig
from cellos_nb.operations.banks.outcome import BankRuns
from cellos_nb.operations.banks.sensitivity import Sensitivity, sensitivity
from cellos_nb.operations.banks.simulate import simulate
from cellos_nb.operations.banks.summary import BankSummary, CrashTest, crash_test, summarise
from cellos_nb.operations.banks.trouble import Trouble
from cellos_nb.store.stock_shelf import lots_of
from cellos_nb.store.store import Store

N_RUNS = (300, 1000, 5000)
"""What is offered."""
TORNADO_RUNS = 300
"""Of each copy: there are more than thirty, and a person waits."""
NOTHING = "nothing"
Wrong = Literal["nothing", "incubator fails", "contamination found", "mycoplasma comes in", "nobody comes"]
WRONG: tuple[Wrong, ...] = ("nothing", "incubator fails", "contamination found", "mycoplasma comes in", "nobody comes")
"""What can go wrong on purpose."""


@dataclass(frozen=True, slots=True)
class BankChoice:
    """What a person chose; 0 vials: that bank is not made."""

    master_vials: int
    working_vials: int
    max_flasks: int
    incubators: int
    restarts: int
    weekends: bool
    n_runs: int = 1000
    seed: int = 1
    measure: str = "success"
    """What the tornado asks about."""
    wrong: str = NOTHING
    """One of `WRONG`."""
    on_day: int = 9
    for_days: int = 1
    """How long nobody comes."""
    in_bank: str = "master"

    @classmethod
    def of(cls, config: BankConfig) -> BankChoice:
        """As the bank's file has it."""
        return cls(
            config.master.vials if config.master else 0,
            config.working.vials if config.working else 0,
            config.max_flasks,
            config.incubators,
            config.restarts,
            config.weekends,
            in_bank=config.stages[-1][0],
        )

    @property
    def trouble(self) -> Trouble:
        """What goes wrong."""
        day = self.on_day
        match self.wrong:
            case "incubator fails":
                return Trouble(incubator_fails=(day,))
            case "contamination found":
                return Trouble(contamination_found=(day,))
            case "mycoplasma comes in":
                return Trouble(hidden_from=(day,))
            case "nobody comes":
                return Trouble(person_away=((day, day + self.for_days - 1),))
            case _:
                return Trouble()


@dataclass(frozen=True, slots=True, eq=False)
class BankShown:
    """What the panel shows."""

    config: BankConfig
    """With what was chosen."""
    runs: BankRuns
    summary: BankSummary
    sensitivity: Sensitivity
    crash: CrashTest | None
    """None while nothing goes wrong."""
    in_stock: tuple[str, ...]
    """Lots of this line, in words."""


def load_bank(bank: BankConfig | str | Path | None) -> BankConfig:
    """A bank, the one in a file, or the one that `cellos bank template` prints.

    Raises:
        ConfigError: the file cannot be read or is refused.
    """
    if bank is None:
        return BankConfig.shipped()
    return bank if isinstance(bank, BankConfig) else BankConfig.from_yaml(bank)


def chosen_bank(config: BankConfig, choice: BankChoice) -> BankConfig:
    """A bank with what was chosen.

    Raises:
        ConfigError: no such bank can be made.
    """
    changes: dict[str, Any] = config.model_dump(include=set(type(config).model_fields))
    for name, vials in (("master", choice.master_vials), ("working", choice.working_vials)):
        changes[name] = {**(changes[name] or {}), "vials": vials} if vials else None
    changes |= {
        "max_flasks": choice.max_flasks,
        "incubators": choice.incubators,
        "restarts": choice.restarts,
        "weekends": choice.weekends,
    }
    try:
        return BankConfig.model_validate(changes)
    except ValueError as error:
        message = str(error.errors()[0]["msg"]) if hasattr(error, "errors") else str(error)
        raise ConfigError(message.removeprefix("Value error, ").replace("|", ": ")) from None


def look(store: Store, config: BankConfig, choice: BankChoice) -> BankShown:
    """The bank made many times, as chosen; what is in stock is read anew each time, the rest once for each choice.

    Raises:
        ConfigError: no such bank can be made.
        InputError: a number that cannot be.
    """
    made = chosen_bank(config, choice)
    runs, summary, found, crash = _simulated(made, choice)
    return BankShown(made, runs, summary, found, crash, _in_stock(store, made.cell_line))


@lru_cache(maxsize=8)
def _simulated(config: BankConfig, choice: BankChoice) -> tuple[BankRuns, BankSummary, Sensitivity, CrashTest | None]:
    runs = simulate(config, n_runs=choice.n_runs, seed=choice.seed)
    crash = None
    if choice.wrong != NOTHING:
        names = [name for name, _ in config.stages]
        stage = choice.in_bank if choice.in_bank in names else names[-1]
        crash = crash_test(config, choice.trouble, stage=stage, n_runs=choice.n_runs, seed=choice.seed)
    found = sensitivity(config, choice.measure, n_runs=TORNADO_RUNS, seed=choice.seed)
    return runs, summarise(runs), found, crash


def _in_stock(store: Store, cell_line: str) -> tuple[str, ...]:
    """Lots of a line: how much, and at which passage."""
    with store.read() as tx:
        lots = lots_of(tx, serves=[f"cells/{cell_line}"])
    return tuple(
        f"{lot.resource}, lot {lot.lot_number}: {lot.balance.on_hand / 1e6:g} Mcells"
        + ("" if lot.passage is None else f", passage {lot.passage}")
        for lot in lots
    )

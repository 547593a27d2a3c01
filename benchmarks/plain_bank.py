"""One run of a cell bank as a plain loop over days, numbers and `if`: the model of `cellos_nb.operations.banks` again.

Written from the model's description and not from its arrays, to compare distributions with (`benchmarks/banks.py` and a
test): only the parameters are shared. Luck comes from Python's `random`, so runs do not pair with those of the arrays.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from cellos_nb.operations.banks.config import BankConfig, StageSettings
from cellos_nb.operations.banks.parameters import BankParameters, load_bank_parameters


@dataclass
class Vials:
    """What a bank is begun from, or ended with."""

    n: int
    cells: float
    viability: float
    passage: int
    doublings: float
    kind: int | None


@dataclass
class PlainRun:
    """What a single run of both banks came to."""

    vials: int
    days: float
    is_released: bool


def plain_run(config: BankConfig, luck: random.Random) -> PlainRun:
    """Makes the banks of a file once."""
    parameters = load_bank_parameters(config.parameters)
    vials = Vials(
        config.starting.vials,
        parameters.thaw.cells_per_vial.value,
        parameters.thaw.viability.value,
        config.starting.passage,
        config.starting.doublings,
        None,
    )
    days, n = 0.0, 0
    for _, stage in config.stages:
        vials_after, took = _stage(config, stage, parameters, vials, luck)
        days += took
        if vials_after is None:
            return PlainRun(0, days, is_released=False)
        vials, n = vials_after, vials_after.n
    return PlainRun(n, days, is_released=True)


def _stage(  # noqa: C901, PLR0911, PLR0912, PLR0915 - one loop on purpose
    config: BankConfig, stage: StageSettings, p: BankParameters, begin: Vials, luck: random.Random
) -> tuple[Vials | None, float]:
    line = p.known_lines[config.cell_line]
    is_adherent = line.growth_form == "adherent"
    confluent = line.confluent_density_per_cm2.value * config.flask_cm2
    spread = math.log1p(p.growth.batch_cv.value**2)
    rate = math.log(2) / line.doubling_time_h.value * math.exp(luck.gauss(-spread / 2, math.sqrt(spread)))
    contact = p.growth.contact_slowdown.value if is_adherent else 0.0
    lag = (p.growth.lag_start_h.value, p.growth.lag_end_h.value)
    growing = Growing(rate, contact, line.confluence_limit.value, lag)
    ageing = p.ageing_of(config.cell_line)
    old = luck.gauss(ageing.limit_doublings.value, ageing.limit_sd.value) if ageing else math.inf
    with_spare = stage.vials * (1 + p.freezing.spare_vials.value)
    fill = math.ceil(with_spare - 1e-9) + _tested(with_spare, p)
    need = fill * stage.cells_per_vial * (1 + p.freezing.margin.value)
    goal = min(math.ceil(need / (p.passage.at_confluence.value * confluent)), config.max_flasks)
    flasks, live, dead, age, kind, seen, cared = 0, 0.0, 0.0, 0.0, None, math.inf, 0
    passage, doublings, attempts, waiting, filled = begin.passage, begin.doublings, 0, True, None
    if begin.n < stage.thawed:
        return None, 0.0

    for day in range(config.time_out_days + 1):
        if config.weekends or day % 7 < 5:
            if flasks and (seen <= day or live < 1):
                flasks, live, dead = 0, 0.0, 0.0
                waiting = attempts <= config.restarts and (attempts + 1) * stage.thawed <= begin.n
                if not waiting:
                    return None, float(day)
            if flasks and live >= need:
                dead = 0.0 if is_adherent else dead
                stress = luck.uniform(p.passage.stress_low.value, p.passage.stress_high.value)
                live, dead = live * (1 - stress), dead + live * stress
                count = math.log1p(p.freezing.count_cv.value**2)
                miscount = math.exp(luck.gauss(-count / 2, math.sqrt(count)))
                counted = live * (1 - p.freezing.cell_loss.value) * miscount
                filled = min(fill, math.floor(counted / stage.cells_per_vial))
                break
            if flasks and live / (flasks * confluent) >= p.passage.at_confluence.value and flasks < goal:
                dead = 0.0 if is_adherent else dead
                stress = luck.uniform(p.passage.stress_low.value, p.passage.stress_high.value)
                live, dead = live * (1 - stress), dead + live * stress
                flasks = _flasks(live, confluent, p, goal)
                passage, age, cared = passage + 1, 0.0, day
            if flasks and day - cared >= p.passage.feed_every_days.value:
                dead, cared = (0.0 if is_adherent else dead), day
            if waiting:
                sd = p.thaw.cells_sd.value / p.thaw.cells_per_vial.value / math.sqrt(stage.thawed)
                cells = stage.thawed * begin.cells * max(luck.gauss(1, sd), 0)
                viability = min(max(luck.gauss(begin.viability, p.thaw.viability_sd.value), 0), 1)
                live, dead = cells * viability, cells * (1 - viability)
                flasks, age, cared = _flasks(live, confluent, p, config.max_flasks), 0.0, day
                passage, doublings, attempts, waiting = begin.passage + 1, begin.doublings, attempts + 1, False
                kind = begin.kind
                after = None if kind is None else p.contamination.kinds[kind].seen_after_days
                seen = math.inf if after is None else day + after
        if day == config.time_out_days:
            return None, float(day)
        if not flasks:
            continue
        for step in range(6):
            vigour = 1.0
            if ageing:
                vigour = 1 / (1 + math.exp((doublings - old) / ageing.width_doublings.value))
            grown = growing.after_a_step(live, flasks * confluent, age + 4 * step, vigour)
            doublings += max(math.log2(grown / live), 0)
            hazard = p.growth.baseline_death_per_h.value
            if grown > flasks * confluent * line.confluence_limit.value * p.passage.overgrown_from.value:
                hazard -= math.log(1 - p.passage.overgrown_loss_per_day.value) / 24
            live, dead = grown * math.exp(-4 * hazard), dead + grown * (1 - math.exp(-4 * hazard))
        age += 24
        if kind is None and luck.random() < 1 - (1 - p.contamination.hazard_per_flask_day.value) ** flasks:
            shares = [one.share.value for one in p.contamination.kinds]
            kind = luck.choices(range(len(shares)), shares)[0]
            after = p.contamination.kinds[kind].seen_after_days
            seen = math.inf if after is None else day + after
        if luck.random() < 1 - (1 - p.incubator.failure_per_day.value) ** config.incubators:
            which = luck.randrange(config.incubators)
            lost = sum(1 for flask in range(flasks) if flask % config.incubators == which)
            live, dead = live * (1 - lost / flasks), dead * (1 - lost / flasks)
            flasks -= lost
            if not flasks:
                waiting = attempts <= config.restarts and (attempts + 1) * stage.thawed <= begin.n
                if not waiting:
                    return None, float(day + 1)

    assert filled is not None
    days = day + p.qc.duration_days.value
    alive = live / (live + dead)
    survival = min(max(luck.gauss(p.freezing.post_thaw_viability.value, p.freezing.post_thaw_sd.value), 0), 1)
    if kind is not None:
        is_hidden = p.contamination.kinds[kind].seen_after_days is None
        test = p.qc.mycoplasma_sensitivity if is_hidden else p.qc.sterility_sensitivity
        if luck.random() < test.value:
            return None, days
    if alive * survival < p.qc.min_viability.value or luck.random() < p.qc.mixed_up.value:
        return None, days
    left = max(filled - _tested(filled, p), 0)
    left -= sum(luck.random() < p.freezing.breakage.value for _ in range(left))
    return Vials(left, stage.cells_per_vial / miscount / alive, alive * survival, passage, doublings, kind), days


def _flasks(live: float, confluent: float, p: BankParameters, most: int) -> int:
    return max(1, min(math.floor(live / (p.passage.seeding_confluence.value * confluent)), most))


def _tested(vials: float, p: BankParameters) -> int:
    sterility = max(math.ceil(vials * p.qc.sterility_share.value), p.qc.sterility_vials_least.value)
    return int(sterility + p.qc.mycoplasma_vials.value + p.qc.viability_vials.value)


@dataclass
class Growing:
    """What a line's growth needs to know."""

    rate: float
    contact: float
    limit: float
    lag: tuple[float, float]

    def after_a_step(self, live: float, full: float, age: float, vigour: float) -> float:
        """Living cells four hours later, without deaths."""
        start, end = self.lag

        def active(hours: float) -> float:
            ramp = min(max(hours, start), end) - start
            return ramp**2 / (2 * (end - start)) + max(hours - end, 0)

        growth = self.rate * vigour * (active(age + 4) - active(age)) * (1 - self.contact * min(live / full, 1))
        limit = full * self.limit
        return limit / math.sqrt(1 + ((limit / live) ** 2 - 1) * math.exp(-2 * growth))

"""How many months of a facility are simulated in a second: the example, fuller labs, and one that is overloaded.

    uv run python benchmarks/facility.py [--replications 8]

CPU seconds of this process, since other work on the machine does not count. What a second liquid handler brings stands
beside it, with its interval from pairs and what it would be from independent replications.
"""

from __future__ import annotations

import argparse
import math
import time

from cellos_nb.operations.facility.config import MONTH_H, FacilityConfig
from cellos_nb.operations.facility.plan import FacilityPlan, plan_facility, what_if
from cellos_nb.operations.facility.work import draw_work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replications", type=int, default=8)
    asked = parser.parse_args()
    example = FacilityConfig.shipped().with_settings({"replications": asked.replications})
    draw_work(example, 0, 100.0)  # the runs of its bank are made once
    print(f"{'lab':<30}{'asked of the robot':>20}{'jobs':>8}{'CPU s':>8}{'months/s':>10}{'jobs/s':>8}")
    plan = _line("the example", example)
    _line("a fifth more", _busier(example, 1.2))
    _line("more than there is", _busier(example, 1.5))
    _line("ten times, twelve robots", _busier(example, 10.0, handlers=12, people=16))
    change = what_if(plan, "liquid handler=2")
    flow = change.flow_days["dose response"]
    alone = math.hypot(*(one.loads[0].flow_days.half_width for one in (plan, change.plan)))
    print(f"\na second liquid handler: {flow.mean:+.2f} days a campaign;")
    print(f"± {flow.half_width:.2f} from pairs, ± {alone:.2f} from as many independent replications")


def _line(name: str, config: FacilityConfig) -> FacilityPlan:
    began = time.process_time()
    plan = plan_facility(config)
    took = time.process_time() - began
    months = config.replications * (config.months + config.warm_up_days * 24 / MONTH_H)
    jobs = sum(len(one.jobs) for one in plan.replications)
    offered = plan.resources[0].offered
    print(f"{name:<30}{offered:>20.0%}{jobs:>8}{took:>8.1f}{months / took:>10.0f}{jobs / took:>8.0f}", flush=True)
    return plan


def _busier(config: FacilityConfig, factor: float, handlers: int = 1, people: int = 2) -> FacilityConfig:
    loads = tuple(one.model_copy(update={"every_days": one.every_days / factor}) for one in config.campaigns)
    capacities = {"liquid handler": handlers, "people": people, "incubator": 2000}
    resources = tuple(
        one.model_copy(update={"capacity": capacities.get(one.name, one.capacity)}) for one in config.resources
    )
    return config.model_copy(update={"campaigns": loads, "resources": resources})


if __name__ == "__main__":
    main()

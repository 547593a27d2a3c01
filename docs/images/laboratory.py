"""The laboratory that the pictures show: finished campaigns, and work that waits for people."""

from __future__ import annotations

import csv
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from cellos_nb import AutonomousExecutor, CampaignConfig, ExperimentProposal, JobQueue, Lab
from cellos_nb.domain.machine import Outcome, OutcomeState
from cellos_nb.domain.reading import Reading
from cellos_nb.domain.step import Step, StepKind
from cellos_nb.errors import InDoubtError, MachineError
from cellos_nb.execution.actions import submit_action
from cellos_nb.execution.daemon import Daemon
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.operations.calendar.listing import first_come_first_served
from cellos_nb.units import now_utc
from cellos_nb.week.config import WeekConfig
from cellos_nb.week.forecast import first_problem

CAMPAIGN = "cytotoxicity-across-two-lines"
WEEK = Path(__file__).parents[2] / "examples" / "week.yaml"
HANDS = """kind: bench
pipettes:
- {name: P2, min_ul: 0.2, max_ul: 2}
- {name: P20, min_ul: 2, max_ul: 20}
- {name: P200, min_ul: 20, max_ul: 200}
"""


def config() -> CampaignConfig:
    return CampaignConfig(
        name="Cytotoxicity across two lines",
        cell_lines=["U2OS", "HepG2"],
        compounds=["staurosporine", "paclitaxel", "doxorubicin", "bortezomib"],
        dose_range_um=[0.001, 10],
        n_doses=12,
        objective="minimise",
        batch_size=24,
        max_iterations=3,
        replicates=2,
        controls={"vehicle": 6, "positive": {"compound": "bortezomib", "dose_um": 1.0, "wells": 4}},
        machine="biology",
        seed=7,
    )


def by_hand(folder: Path) -> CampaignConfig:
    (folder / "hands.yaml").write_text(HANDS, encoding="utf-8")
    return CampaignConfig(
        name="Dose check by hand",
        cell_lines=["U2OS"],
        compounds=["staurosporine"],
        dose_range_um=[0.1, 10],
        objective="minimise",
        batch_size=6,
        max_iterations=1,
        planner="random",
        machine={"kind": "hands", "file": str(folder / "hands.yaml")},
        seed=1,
    )


class LostMachine(BiologicalVirtualMachine):
    """Loses sight of its dosing steps, so that a person has something to decide."""

    def execute(self, step: Step, token: str) -> Reading | None:
        """Breaks off while dosing."""
        if step.kind is StepKind.DOSE:
            raise MachineError("the connection broke off")
        return super().execute(step, token)

    def reconcile(self, token: str) -> Outcome:
        """Cannot tell."""
        return Outcome(OutcomeState.UNKNOWN, detail=f"no memory of {token}")


def make(folder: Path) -> None:
    """Fills `lab.db`, `bench.db` and `stock.db` in a folder, beside a plan of the coming week and earlier results."""
    with Lab.open(folder / "lab.db") as lab:
        lab.run(config())
        lab.run(CampaignConfig.from_dict(config().to_dict() | {"name": "The same by chance", "planner": "random"}))
        _leave_work_for_people(lab)
    with Lab.open(folder / "bench.db") as lab:
        lab.submit(by_hand(folder))
        Daemon(lab.store, lab).run(once=True)
    with Lab.open(folder / "stock.db") as lab:
        _stock(lab)
    _plan(folder)
    _earlier(folder / "earlier.csv")


def _stock(lab: Lab) -> None:
    """The stock of the examples, after somebody weighed a bottle and threw a vial away."""
    table = Path(__file__).parents[2] / "examples" / "stock.csv"
    lab.inventory.import_table(table.read_text(encoding="utf-8"), table.name)
    lab.inventory.adjust("DM-0417", 150, "weighed the bottle")
    lab.inventory.discard("STS-3", "left out overnight")


def _leave_work_for_people(lab: Lab) -> None:
    """A tick of the daemon, a plate in doubt and a dead letter."""
    for title in ("stocks are low", "plate reader serviced"):
        submit_action(lab.store, "notify", {"title": title}, idempotency_key=title)
    JobQueue(lab.store).submit("book_microscope", {"hours": 2}, idempotency_key="no plug-in", max_attempts=1)
    Daemon(lab.store, lab).run(once=True)
    asked = [ExperimentProposal("U2OS", "staurosporine", dose_um) for dose_um in (0.01, 0.1, 1.0)]
    with suppress(InDoubtError):
        AutonomousExecutor(Lab(lab.store, LostMachine())).execute_batch(asked, wait=True)


def _earlier(path: Path) -> None:
    """A screen as a spreadsheet of somebody's has it: two plates on two days, each dose twice."""
    ec50_nm = {"Trametinib": 30, "Dinaciclib": 8, "Capmatinib": 3000, "Gefitinib": 900}
    rows = [("Cell line", "Drug", "Dose (nM)", "Viability (%)", "Plate", "Well", "Rep", "Date", "Read by")]
    for plate, (line, day) in enumerate((("SK-LMS-1", "2023-05-02"), ("RD-ES", "2023-05-09")), start=1):
        asked = [(drug, dose, rep) for drug in ec50_nm for dose in (1, 10, 100, 1000, 10_000) for rep in (1, 2)]
        for n, (drug, dose, rep) in enumerate(asked):
            left = 100 / (1 + dose / (ec50_nm[drug] * plate)) + 2 * rep
            rows.append(
                (line, drug, dose, round(left, 1), f"P{plate}", f"{'BCDEFG'[n // 10]}{n % 10 + 2:02}", rep, day, "AL")
            )
    with path.open("w", newline="", encoding="utf-8") as table:
        csv.writer(table).writerows(rows)


def _plan(folder: Path) -> None:
    """Of the week to come: nothing of it is late yet."""
    today = now_utc().date()
    monday = today + timedelta(days=7 - today.weekday())
    text = WEEK.read_text(encoding="utf-8").replace("begins: 2026-03-02", f"begins: {monday}")
    (folder / "week.yaml").write_text(text, encoding="utf-8")
    plan = first_come_first_served(first_problem(WeekConfig.from_yaml(folder / "week.yaml")))
    (folder / "plan.json").write_text(plan.to_json(), encoding="utf-8")

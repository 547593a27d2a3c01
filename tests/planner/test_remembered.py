"""Wells of earlier campaigns, remembered by the names of their compounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.planner import DoseResponseGP, Prior, pool_planner
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.mechanistic import fit_results
from cellos_nb.planner.remembered import NOTHING, RememberedWells

DOSES = np.logspace(-3, 1, 9)
COMPOUNDS = [f"c{i:02d}" for i in range(12)]
POTENT = "c07"


def viability(compound: str, doses) -> np.ndarray:
    """One compound kills at low doses, three at high ones, the others never; alike on all cell lines."""
    middle = {POTENT: 0.01, "c01": 3.0, "c04": 5.0, "c09": 2.0}.get(compound, 1e6)
    return 1 / (1 + (np.asarray(doses) / middle) ** 1.5)


def wells(lines, name_of=lambda compound: compound) -> pd.DataFrame:
    rng = np.random.default_rng(len(lines))
    rows = [
        (line, name_of(compound), dose, value + 0.03 * rng.normal())
        for line in lines
        for compound in COMPOUNDS
        for dose, value in zip(DOSES, viability(compound, DOSES), strict=True)
    ]
    return pd.DataFrame(rows, columns=["cell_line", "compound", "dose_um", "viability"])


@pytest.fixture(scope="module")
def known() -> Prior:
    return Prior.learn(wells(["A", "B"]), by_name=True)


@pytest.fixture(scope="module")
def exchanged(known) -> Prior:
    """The same curves, each under another compound's name."""
    other = dict(zip(COMPOUNDS, COMPOUNDS[5:] + COMPOUNDS[:5], strict=True))
    columns = wells(["A", "B"], other.get).itertuples(index=False, name=None)
    return replace(known, remembered=RememberedWells.of(columns))


def planner_on_a_new_line(prior, n_told):
    table = [("N", compound, float(dose)) for compound in COMPOUNDS for dose in (np.log10(DOSES) - 6).round(6)]
    parameters = {
        "cell_line": {"type": "categorical", "levels": ["N"]},
        "compound": {"type": "categorical", "levels": COMPOUNDS},
        "dose": {"type": "log10", "levels": sorted({row[2] for row in table})},
    }
    objective = {"kind": "inhibition_minus_dose_cost", "per_decade": 0.1, "log10_dose_ref": -9.0}
    planner = pool_planner({"parameters": parameters, "objective": objective, "wells": table}, 1, prior=prior)
    rows = [dict(zip(parameters, table[i], strict=True)) for i in np.random.default_rng(3).permutation(len(table))]
    rows = [row for row in rows if row["compound"] != POTENT][:n_told]
    planner.tell(rows, [score(row) for row in rows])
    return planner


def score(row) -> float:
    return float(1 - viability(row["compound"], 10 ** (row["dose"] + 6)) - 0.1 * (row["dose"] + 9))


def test_nobody_is_named_unless_it_is_asked_for(tmp_path):
    Prior.learn(wells(["A", "B"])).save(tmp_path / "prior.yaml")
    assert POTENT not in (tmp_path / "prior.yaml").read_text(encoding="utf-8")


def test_what_is_remembered_is_kept_in_the_file(known, tmp_path):
    known.save(tmp_path / "prior.yaml")
    loaded = Prior.load(tmp_path / "prior.yaml").remembered
    assert (loaded.cell_lines, loaded.compounds) == (known.remembered.cell_lines, known.remembered.compounds)
    assert loaded.doses_um == known.remembered.doses_um
    np.testing.assert_allclose(loaded.responses, known.remembered.responses, atol=1e-6)
    assert len(loaded) == 2 * len(COMPOUNDS) * len(DOSES)


def test_a_further_campaign_is_remembered_beside_those_before(known):
    later = known.updated(wells(["C"]), by_name=True).remembered
    assert len(later) == len(known.remembered) + len(COMPOUNDS) * len(DOSES)
    assert known.updated(wells(["C"])).remembered == known.remembered


def test_a_compound_known_on_other_lines_is_expected_to_act_alike_on_a_new_one(known):
    model = DoseResponseGP(known.for_curves(), (0.001, 10.0), remembered=known.remembered).fit([], [], [], [])
    (mean,), _ = model.predict(["N"], [POTENT], [0.1])
    (unknown,), _ = model.predict(["N"], ["never seen"], [0.1])
    # A line may be spared by a compound that acts on others.
    assert mean < 0.35
    assert unknown > 0.5


def test_the_first_batch_on_a_new_line_asks_for_the_compound_that_was_best_before(known):
    first = planner_on_a_new_line(known, 8).ask(4)
    assert POTENT in {row["compound"] for row in first}
    assert max(map(score, first)) > 0.7


def test_names_that_were_exchanged_are_forgotten_once_the_wells_deny_them(known, exchanged):
    truly, falsely = (planner_on_a_new_line(prior, 24) for prior in (known, exchanged))
    for planner in (truly, falsely):
        planner.ask(4)
    assert len(truly._remembered)
    assert falsely._remembered is NOTHING


def test_what_is_known_of_compounds_that_are_not_in_question_changes_nothing(known):
    strangers = replace(known, remembered=RememberedWells(("A",), ("stranger",), (1.0,), (0.1,)))
    forgetful = replace(known, remembered=NOTHING)
    answers = [planner_on_a_new_line(prior, 8).ask(4) for prior in (strangers, forgetful)]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("is_true", [True, False])
def test_a_campaign_learns_from_the_wells_that_its_prior_remembers_until_its_results_deny_them(
    known, exchanged, is_true, tmp_path
):
    (known if is_true else exchanged).save(tmp_path / "prior.yaml")
    config = CampaignConfig(
        name="new line",
        cell_lines=["N"],
        compounds=COMPOUNDS,
        dose_range_um=[0.001, 10],
        n_doses=9,
        objective="minimise",
        batch_size=24,
        max_iterations=2,
        planner={"kind": "mechanistic", "prior": str(tmp_path / "prior.yaml")},
    )
    asked = [ExperimentProposal("N", c, float(dose)) for c in COMPOUNDS if c != POTENT for dose in (0.1, 10.0)]
    results = [ExperimentResult(p, ResultStatus.OK, float(viability(p.compound, p.dose_um)), 0.03, 3) for p in asked]
    model = fit_results(config, CandidatePool.of(config, History(tuple(results))))
    (mean,), _ = model.predict(["N"], [POTENT], [0.1])
    assert (mean < 0.3) == is_true

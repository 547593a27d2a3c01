"""What a screen teaches about compounds that it did not hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.history import History
from cellos_nb.domain.proposal import ExperimentProposal
from cellos_nb.domain.result import ExperimentResult, ResultStatus
from cellos_nb.errors import AnalysisError, ConfigError
from cellos_nb.planner import DoseResponseGP, Prior, pool_planner
from cellos_nb.planner.candidates import CandidatePool
from cellos_nb.planner.curves import CurvePrior
from cellos_nb.planner.doubt import ODDS
from cellos_nb.planner.library import draw_difference_library, draw_library
from cellos_nb.planner.mechanistic import fit_results
from cellos_nb.planner.prior import prior_named

DOSES = np.logspace(-3, 1, 8)


def screen(seed, n_compounds=24, *, ec50=-1.5, spread=0.3, inactive=0.25, lines=("A", "B", "C"), slope=1.5):
    """Wells of simulated compounds: potent, alike, and the same on all lines but for 0.1 decades."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n_compounds):
        centre = rng.normal(ec50, spread)
        acts = rng.random() >= inactive
        for line in lines:
            middle = centre + 0.1 * rng.normal()
            response = 1 - 0.95 * acts / (1 + (10**middle / DOSES) ** slope)
            noisy = response + 0.03 * rng.normal(size=len(DOSES))
            rows += [(line, f"s{seed}-{number}", dose, value) for dose, value in zip(DOSES, noisy, strict=True)]
    return pd.DataFrame(rows, columns=["cell_line", "compound", "dose_um", "viability"])


def log_evidence(prior: CurvePrior, wells: pd.DataFrame) -> float:
    columns = (wells[name].tolist() for name in ("cell_line", "compound", "dose_um", "viability"))
    return DoseResponseGP(prior, (0.001, 10.0)).fit(*columns).log_evidence


@pytest.fixture(scope="module")
def learnt() -> Prior:
    return Prior.learn(screen(1), "simulated")


def test_the_population_is_found_again(learnt):
    assert learnt.n_compounds == 24
    assert learnt.n_curves == 72
    assert np.log10(learnt.mean_ec50_um) == pytest.approx(-1.5, abs=0.25)
    assert learnt.inactive_share == pytest.approx(0.25, abs=0.12)
    main = max(learnt.classes, key=lambda one: one.share)
    assert main.centre[1] == pytest.approx(np.log(1.5), abs=0.15)
    assert main.sd[0] < 0.6
    assert main.line_sd[0] < 0.35
    assert main.line_inactive_share < 0.1


def test_it_carries_over_to_compounds_and_lines_that_it_never_saw(learnt):
    few = screen(2, 12, lines=("D", "E")).sample(40, random_state=0)
    assert log_evidence(learnt.for_curves(), few) > log_evidence(CurvePrior(), few) + 5


def test_where_it_misleads_a_few_compounds_suffice_to_fall_back_on_the_vague_prior(learnt):
    others = screen(3, 12, ec50=0.6, slope=0.7, inactive=0.0).sample(60, random_state=0)
    misled, vague = log_evidence(learnt.for_curves(), others), log_evidence(CurvePrior(), others)
    certain = log_evidence(CurvePrior(classes=learnt.classes, learnt_share=0.999, inactive_share=0.2), others)
    assert misled > vague - 12
    assert misled > certain


def planner_told(prior, wells):
    """A planner for potency that was told these wells, and asked once."""
    parameters = {"cell_line": {"type": "categorical"}, "compound": {"type": "categorical"}, "dose": {"type": "log10"}}
    lines, compounds = sorted(set(wells.cell_line)), sorted(set(wells["compound"]))
    table = [(line, c, float(x)) for line in lines for c in compounds for x in (np.log10(DOSES) - 6).round(6)]
    objective = {"kind": "inhibition_minus_dose_cost", "per_decade": 0.1, "log10_dose_ref": -9.0}
    planner = pool_planner({"parameters": parameters, "objective": objective, "wells": table}, 0, prior)
    doses = (np.log10(wells.dose_um) - 6).round(6)
    rows = [
        {"cell_line": line, "compound": c, "dose": x}
        for line, c, x in zip(wells.cell_line, wells["compound"], doses, strict=True)
    ]
    planner.tell(rows, (1 - wells.viability - 0.1 * (doses + 9)).tolist())
    planner.ask(2)
    return planner


def test_a_planner_lays_a_prior_aside_that_its_own_wells_contradict(learnt):
    others = screen(3, 12, ec50=0.6, slope=0.7, inactive=0.0)
    alike = screen(2, 12)
    few = [wells.sample(30, random_state=0) for wells in (others, alike)]
    assert planner_told(learnt, few[0])._prior == CurvePrior()
    assert planner_told(learnt, few[1])._prior == learnt.for_curves()


def test_a_prior_is_laid_aside_for_good(learnt):
    few = screen(3, 12, ec50=0.6, slope=0.7, inactive=0.0).sample(30, random_state=0)
    gap = log_evidence(CurvePrior(), few) - log_evidence(learnt.for_curves(), few)
    assert gap > np.log(ODDS)
    planner = planner_told(learnt, few)
    assert planner._checks == []


@pytest.mark.parametrize(
    ("others", "is_believed"),
    [
        pytest.param({"ec50": 0.6, "slope": 0.7, "inactive": 0.0}, False, id="contradicted"),
        pytest.param({}, True, id="confirmed"),
    ],
)
def test_a_campaign_uses_a_prior_of_the_labs_own_only_where_its_first_results_do_not_deny_it(
    tmp_path, learnt, others, is_believed
):
    learnt.save(tmp_path / "prior.yaml")
    wells = screen(3, 12, **others).sample(30, random_state=0)
    config = CampaignConfig(
        name="own prior", cell_lines=["A", "B", "C"], compounds=sorted(set(wells["compound"])),
        dose_range_um=(0.001, 10.0), n_doses=8, planner={"prior": str(tmp_path / "prior.yaml")},
    )  # fmt: skip
    results = tuple(
        ExperimentResult(ExperimentProposal(row.cell_line, row.compound, row.dose_um), ResultStatus.OK, row.viability)
        for row in wells.itertuples()
    )
    model = fit_results(config, CandidatePool.of(config, History(results)))
    assert bool(model.prior.classes) is is_believed


def test_a_campaign_of_other_compounds_moves_it_and_is_counted(learnt):
    after = learnt.updated(screen(4, 24, ec50=0.0), "campaign 2")
    assert after.n_compounds == 48
    assert after.source == "simulated; campaign 2"
    assert learnt.mean_ec50_um < after.mean_ec50_um
    wells = screen(5, 12, ec50=0.0).sample(40, random_state=1)
    assert log_evidence(after.for_curves(), wells) > log_evidence(learnt.for_curves(), wells)


def test_what_few_wells_taught_is_nearer_to_the_vague_prior(learnt):
    assert learnt.n_told == 24
    one_each = Prior.learn(screen(1).groupby(["cell_line", "compound"]).sample(1, random_state=0))
    assert one_each.n_told == pytest.approx(24 * 3 / 8)
    assert 0 < one_each.for_curves().learnt_share < learnt.for_curves().learnt_share < 0.8
    both = learnt.updated(screen(4, 24))
    assert both.n_told == 48
    assert both.for_curves().learnt_share == 0.8
    nearer = abs(one_each.for_curves().inactive_share - 1 / 3) - abs(one_each.inactive_share - 1 / 3)
    assert nearer < 0


def test_equal_wells_give_an_equal_prior_in_any_order():
    wells = screen(6, 5, lines=("A",))
    assert Prior.learn(wells.sample(frac=1, random_state=0)) == Prior.learn(wells)


def test_missing_wells_and_ragged_doses_are_no_obstacle():
    wells = screen(7, 8).sample(frac=0.5, random_state=0)
    wells.loc[wells.index[:5], "viability"] = np.nan
    assert Prior.learn(wells).n_compounds == 8


def test_the_shipped_prior_is_what_the_shipped_screen_teaches():
    shipped = Prior.shipped()
    assert (shipped.n_compounds, shipped.n_curves) == (72, 648)
    assert "10.1038/s44320-023-00004-7" in shipped.source
    assert 0.1 < shipped.inactive_share < 0.35
    assert 1 < shipped.mean_ec50_um < 20


def test_a_saved_prior_is_read_back_equal(tmp_path, learnt):
    learnt.save(tmp_path / "prior.yaml")
    assert Prior.load(tmp_path / "prior.yaml") == learnt
    assert prior_named(tmp_path / "prior.yaml") == learnt.for_curves()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        pytest.param("a: [", "holds no prior", id="no-yaml"),
        pytest.param("source: x\n", "n_compounds", id="keys-missing"),
        pytest.param("- 1\n", "holds no prior", id="a-list"),
    ],
)
def test_a_file_that_is_no_prior_is_refused(tmp_path, text, match):
    path = tmp_path / "prior.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=match):
        Prior.load(path)


def test_a_spread_of_zero_and_a_missing_file_are_refused(tmp_path, learnt):
    path = tmp_path / "prior.yaml"
    learnt.save(path)
    text = path.read_text(encoding="utf-8")
    sd = learnt.classes[0].sd[0]
    path.write_text(text.replace(f"- {sd}", "- 0.0", 1), encoding="utf-8")
    with pytest.raises(ConfigError, match="above 0"):
        Prior.load(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        Prior.load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="there is no prior 'none'; possible: default, vague"):
        prior_named("none")


def test_a_table_that_teaches_nothing_is_refused():
    wells = screen(8, 4)
    with pytest.raises(AnalysisError, match="4 compounds with responses; a prior is learnt from 5"):
        Prior.learn(wells)
    with pytest.raises(AnalysisError, match="no column viability"):
        Prior.learn(wells.drop(columns="viability"))
    with pytest.raises(AnalysisError, match="leave out vehicle wells"):
        Prior.learn(wells.assign(dose_um=0.0))


def test_kinds_of_learnt_classes_lie_where_the_screen_puts_them(learnt):
    library = draw_library(learnt.for_curves(), (-3.0, 1.0))
    assert library.conditional.sum(axis=1) == pytest.approx(1.0)
    assert library.class_shares.sum() == pytest.approx(1.0)
    kinds = (library.class_shares / np.bincount(library.kind_class))[library.kind_class]
    likely = (kinds * (library.kind_class > 1)) @ library.conditional
    active = library.parameters[:, 2] != 0
    mean = (likely * library.parameters[:, 0])[active].sum() / likely[active].sum()
    assert mean == pytest.approx(-1.5, abs=0.3)


@pytest.mark.parametrize("low", [-4.0, -3.0], ids=["from 0.1 nM", "from 1 nM"])
def test_before_data_an_effect_at_the_lowest_of_many_doses_is_hardly_expected(low):
    library = draw_library(CurvePrior(), (low, low + 4.0))
    kinds = (library.class_shares / np.bincount(library.kind_class))[library.kind_class]
    lowest, middle = (kinds @ library.conditional) @ (library.responses(np.array([low, low + 2.0])) < 0.5)
    assert lowest < 0.08 * middle


def test_of_two_cell_lines_the_less_sensitive_one_is_told_by_all_compounds_together():
    even = draw_difference_library(CurvePrior(baseline=0.0), (-3.0, 1.0))
    shifted = draw_difference_library(CurvePrior(baseline=0.0, line_shift=0.5), (-3.0, 1.0))
    doses = np.array([0.0])
    assert shifted.responses(doses).mean() > even.responses(doses).mean() + 0.05
    parameters = {"compound": {"type": "categorical"}, "log10_dose_M": {"type": "log10"}}
    wells = [(f"c{i}", float(dose)) for i in range(12) for dose in np.log10(DOSES) - 6]
    space = {"parameters": parameters, "objective": {"kind": "difference"}, "wells": wells}
    planner = pool_planner(space, 0)
    spared = [1 / (1 + 10 ** (1.2 * (x + 6))) - 1 / (1 + 10 ** (1.2 * (x + 6.6))) for _, x in wells[::3]]
    planner.tell([dict(zip(parameters, well, strict=True)) for well in wells[::3]], spared)
    evidence = {prior.line_shift: planner._curves_model(prior).log_evidence for prior in planner._curve_priors()}
    assert evidence[0.5] > evidence[0.0] > evidence[-0.5]

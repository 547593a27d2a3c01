"""The form holds every field of a configuration, says what is wrong beside it, and launches what was proved alone."""

from __future__ import annotations

from dataclasses import replace
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panel_campaigns import small_config
from pydantic import BaseModel

from cellos_nb import CampaignConfig, Lab
from cellos_nb.domain.settings import CompoundStock
from cellos_nb.errors import ApprovalError, CampaignError, ConfigError, InputError
from cellos_nb.hardware.virtual import VirtualMachine
from cellos_nb.panels.launcher.draft import Draft, by_field, check
from cellos_nb.panels.launcher.fields import all_fields, field_at
from cellos_nb.panels.launcher.start import (
    Launched,
    approve_plates,
    launch,
    not_approved,
    prove_campaign,
    require_ready,
    save_yaml,
)


class RealMachine(VirtualMachine):
    """A machine that says it touches something real."""

    def describe(self):
        return replace(super().describe(), machine="real", is_simulated=False, hour_s=0.0)


def plain_config(**changes) -> CampaignConfig:
    small = {"name": "plain", "compounds": ["a", "b"], "batch_size": 4, "max_iterations": 1, "planner": "random"}
    return small_config(**(small | changes))


@pytest.fixture
def lab(tmp_path):
    with Lab.open(tmp_path / "lab.db") as opened:
        yield opened


def models_in(annotation):
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in {Annotated, Union, UnionType}:
        return [model for part in get_args(annotation) for model in models_in(part)]
    return []


def paths_of(model, above=()):
    """Every leaf of the model itself, read from its annotations and not from its schema."""
    for name, info in model.model_fields.items():
        inner = models_in(info.annotation)
        if inner:
            yield from paths_of(inner[0], (*above, name))
        else:
            yield (*above, name)


def test_no_field_of_the_configuration_is_forgotten():
    leaves = set(paths_of(CampaignConfig))
    assert len(leaves) > 25
    assert {field.path for field in all_fields() if field.kind != "group"} == leaves
    assert {column.path[-1] for column in field_at(("compounds",)).columns} == set(CompoundStock.model_fields)


def test_no_two_fields_have_the_same_label():
    labels = [field.label for field in all_fields()]
    assert len(set(labels)) == len(labels)


NAMES = st.text("abcXYZ-5µ é<&", min_size=1, max_size=8).map(str.strip).filter(bool)
STOCKS = st.builds(
    dict,
    name=NAMES,
    stock_mm=st.none() | st.sampled_from([0.5, 10.0]),
    stock_volume_ul=st.none() | st.just(250.0),
    max_dose_um=st.none() | st.just(5.0),
)
CONFIGS = st.builds(
    dict,
    name=NAMES,
    cell_lines=st.lists(NAMES, min_size=1, max_size=3, unique=True),
    compounds=st.lists(STOCKS, min_size=1, max_size=3, unique_by=lambda stock: stock["name"]),
    dose_range_um=st.sampled_from([(0.00017, 10.0), (1e-05, 5e-05 * 1e6)]),
    n_doses=st.integers(12, 20),
    assay=st.sampled_from(["viability", {"name": "reporter", "treatment_h": 24.5, "cells_per_well": 1e4}]),
    objective=st.sampled_from(["minimise", "maximise"]),
    budget_usd=st.none() | st.just(1234.5),
    convergence=st.none() | st.just({"patience": 2, "min_improvement": 0.05}),
    plate_format=st.sampled_from([96, 384]),
    controls=st.sampled_from([{"vehicle": 3}, {"positive": {"compound": "z9", "dose_um": 1.5, "wells": 3}}]),
    outer_wells=st.sampled_from(["use", "medium"]),
    batch_size=st.just(1),
    planner=st.sampled_from(["random", {"kind": "mechanistic", "acquisition": "ucb", "n_initial": 8}]),
    seed=st.integers(0, 2**63 - 1),
)


@settings(max_examples=40, deadline=None)
@given(CONFIGS)
def test_a_configuration_put_into_the_form_comes_out_equal(values):
    config = CampaignConfig(**values)
    checked = check(Draft.of(config))
    assert checked.config == config
    assert checked.n_problems == 0


@pytest.mark.parametrize("name", ["a\nb", "a|b", "a\tb", " a"], ids=["line break", "bar", "tab", "blank"])
def test_a_name_that_the_form_cannot_show_is_refused_rather_than_changed(name):
    with pytest.raises(ConfigError, match="which the form cannot show"):
        Draft.of(small_config(compounds=[name, "other"]))


def test_the_empty_form_asks_for_what_has_no_default_and_for_nothing_else():
    problems = check(Draft.empty()).problems
    assert set(problems) == {("name",), ("cell_lines",), ("compounds",), ("dose_range_um",)}


@pytest.mark.parametrize(
    ("path", "typed", "at", "message"),
    [
        pytest.param(("n_doses",), 0, ("n_doses",), "0 is too small; give a number of at least 1", id="limit"),
        pytest.param(("seed",), "x", ("seed",), "'x' is not possible; give a whole number", id="no number"),
        pytest.param(("dose_range_um",), ("3", "1"), ("dose_range_um",), "is reversed", id="range"),
        pytest.param(("dose_range_um",), ("3", "no"), ("dose_range_um",), "highest: 'no' is not", id="end of a range"),
        pytest.param(("compounds",), "a\nb | z", ("compounds",), "line 2, stock (mM): 'z' is not", id="cell"),
        pytest.param(("compounds",), "a|1|2|3|4", ("compounds",), "give at most name | stock (mM)", id="columns"),
        pytest.param(("compounds",), "a\na", ("compounds",), "a stands twice", id="twice"),
        pytest.param(("objective", "target"), "U2OS", ("objective", "target"), "'selectivity' alone", id="across"),
        pytest.param(("controls", "positive", "dose_um"), "-1", ("controls", "positive", "dose_um"), "-1", id="nested"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(path, typed, at, message):
    checked = check(Draft.of(small_config()).with_value(path, typed))
    assert checked.config is None
    assert list(checked.problems) == [at]
    assert message in " ".join(checked.problems[at])


def test_a_group_that_is_off_is_left_out_whatever_stands_in_its_fields():
    draft = Draft.of(small_config()).with_value(("controls", "positive", "dose_um"), "nonsense")
    assert check(draft.with_value(("controls", "positive"), False)).config.controls.positive is None


def test_a_compound_may_be_pasted_from_a_spreadsheet():
    draft = Draft.of(small_config()).with_value(("compounds",), "a\t5\t\t2\n\n b | 1 \n")
    a, b = check(draft).config.compounds
    assert (a.name, a.stock_mm, a.stock_volume_ul, a.max_dose_um) == ("a", 5.0, None, 2.0)
    assert (b.name, b.stock_mm) == ("b", 1.0)


def test_a_refusal_of_the_machine_finds_its_field_too(lab):
    with pytest.raises(InputError) as refused:
        lab.check(small_config(machine="replay", compounds=["Trametinib", "unknown"], cell_lines=["RD-ES"]))
    ((path, (message,)),) = by_field(refused.value).items()
    assert path == ("compounds",)
    assert message.startswith("line 2: 'unknown' is unknown to the machine replay")


def test_a_refusal_without_a_field_is_shown_whole():
    assert dict(by_field(ConfigError("The lab is on fire: leave."))) == {(): ("The lab is on fire: leave.",)}


def test_only_what_was_proved_as_it_stands_is_launched(lab):
    config = plain_config()
    with pytest.raises(ConfigError, match="correct what stands beside the fields"):
        require_ready(lab, None, None)
    with pytest.raises(CampaignError, match="was not proved yet"):
        require_ready(lab, config, None)
    proved = prove_campaign(lab, config)
    assert require_ready(lab, config, proved) == config
    with pytest.raises(CampaignError, match="was changed since it was proved"):
        require_ready(lab, plain_config(seed=9), proved)
    assert proved.protocol_of(proved.plates[0]).read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_real_machine_needs_an_approval_of_every_plate_by_a_person(tmp_path):
    with Lab(Lab.open(tmp_path / "lab.db").store, RealMachine()) as lab:
        config = plain_config()
        proved = prove_campaign(lab, config)
        assert not_approved(lab, proved) == tuple(plate.plate_id for plate in proved.plates)
        with pytest.raises(ApprovalError, match=r"the machine real is real, and nobody approved plain/i001-p1"):
            require_ready(lab, config, proved)
        for hours, person, problem in [(0, "Ada", "0 h is not possible"), (1, " ", "needs the name")]:
            with pytest.raises(InputError, match=problem):
                approve_plates(lab, proved, person=person, hours=hours)
        approve_plates(lab, proved, person="Ada", hours=1)
        assert require_ready(lab, config, proved) == config
        launched = launch(lab, config)
        assert launched.wait(60)
        assert (launched.error, launched.campaign_id) == ("", "plain")


def test_a_simulated_machine_needs_no_approval(lab):
    assert not_approved(lab, prove_campaign(lab, plain_config())) == ()


@pytest.mark.parametrize("by_url", [True, False], ids=["database", "open lab"])
def test_a_launched_campaign_runs_to_its_end_beside_the_caller(by_url, lab):
    config = plain_config(machine="biology", compounds=["staurosporine", "paclitaxel"])
    launched = launch(str(lab.store.path) if by_url else lab, config)
    assert launched.wait(60)
    assert launched.standing == "plain has finished (the one iteration is done): 1 iteration and 1 plate done."
    assert lab.campaign(launched.campaign_id).status == "finished"


def test_what_ends_a_launched_campaign_is_said(lab):
    launched = launch(lab, plain_config(machine="replay"))
    assert launched.wait(60)
    assert "is unknown to the machine replay" in launched.standing
    assert lab.campaigns() == ()


def test_a_bug_that_ends_a_launched_campaign_is_said_and_logged(lab, caplog):
    lab.check = None
    launched = Launched(lab, plain_config())
    launched.start()
    assert launched.wait(60)
    assert "TypeError" in launched.standing
    assert "Traceback" in caplog.text


def test_a_saved_configuration_is_read_back_equal_and_replaces_nothing_unasked(tmp_path):
    config, path = small_config(), tmp_path / "campaign.yaml"
    assert CampaignConfig.from_yaml(save_yaml(config, path, may_replace=False)) == config
    with pytest.raises(InputError, match="exists already"):
        save_yaml(plain_config(), path, may_replace=False)
    save_yaml(plain_config(), path, may_replace=True)
    assert CampaignConfig.from_yaml(path) == plain_config()
    with pytest.raises(InputError, match="give the name of a YAML file"):
        save_yaml(config, " ", may_replace=True)

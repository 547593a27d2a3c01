"""A campaign's configuration: what is refused, in which words, and on which line."""

import math
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import ConfigError

MINIMAL = {"name": "screen", "cell_lines": ["U2OS", "HeLa"], "compounds": ["a", "b"], "dose_range_um": [0.01, 10]}


def _config(**changes):
    return CampaignConfig.from_dict({**MINIMAL, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"batchsize": 3},
            r"batchsize: unknown key; did you mean 'batch_size'\? Possible: assay,",
            id="key",
        ),
        pytest.param(
            {"FooSettings": 1},
            "FooSettings: unknown key; Possible: assay,",
            id="odd-key",
        ),
        pytest.param(
            {"compounds": [{"name": "a", "stock": 1}]},
            r"compounds\.0\.stock: unknown key; did you mean 'stock_mm'",
            id="nested-key",
        ),
        pytest.param(
            {"cell_lines": []},
            r"cell_lines: \[\] is not possible; give at least 1",
            id="no-lines",
        ),
        pytest.param(
            {"cell_lines": "U2OS"},
            "cell_lines: 'U2OS' is not possible; give a list",
            id="bare-line",
        ),
        pytest.param(
            {"cell_lines": ["A", "A"]},
            "cell_lines: A stands twice",
            id="line-twice",
        ),
        pytest.param(
            {"cell_lines": [" "]},
            r"cell_lines\.0: ' ' is not possible; give a name that is not blank",
            id="blank",
        ),
        pytest.param(
            {"cell_lines": [1]},
            r"cell_lines\.0: 1 is not possible; give text; .* needs quotes",
            id="number-line",
        ),
        pytest.param(
            {"compounds": [3]},
            r"compounds\.0: 3 is not possible; give 'key: value'",
            id="number-compound",
        ),
        pytest.param(
            {"compounds": ["a", "a"]},
            "compounds: a stands twice",
            id="compound-twice",
        ),
        pytest.param(
            {"dose_range_um": [10, 0.01]},
            r"dose_range_um: \[10, 0.01\] is reversed; .*\[0.01, 10\]",
            id="reversed",
        ),
        pytest.param(
            {"dose_range_um": [0, 1]},
            r"dose_range_um\.0: 0 is too small; give a number above 0",
            id="dose-zero",
        ),
        pytest.param(
            {"dose_range_um": [-1, 1]},
            r"dose_range_um\.0: -1 is too small",
            id="dose-negative",
        ),
        pytest.param(
            {"dose_range_um": [math.nan, 1]},
            r"dose_range_um\.0: nan is not possible; give a finite",
            id="dose-nan",
        ),
        pytest.param(
            {"dose_range_um": [1]},
            r"dose_range_um\.1: is missing; it has no default",
            id="one-end",
        ),
        pytest.param(
            {"dose_range_um": [1, 2, 3]},
            r"give at most 2",
            id="three-ends",
        ),
        pytest.param(
            {"dose_range_um": [1, 1]},
            r"\[1, 1\] is one dose but n_doses is 12; widen",
            id="no-range",
        ),
        pytest.param(
            {"batch_size": 0},
            "batch_size: 0 is too small; give a number of at least 1",
            id="batch-zero",
        ),
        pytest.param(
            {"batch_size": 49},
            "batch_size: 49 is more than the 48 experiments there are",
            id="batch-too-large",
        ),
        pytest.param(
            {"batch_size": "many"},
            "batch_size: 'many' is not possible; give a whole number",
            id="batch-text",
        ),
        pytest.param(
            {"batch_size": True},
            "batch_size: True is not possible; yes and no",
            id="batch-yes",
        ),
        pytest.param(
            {"dose_range_um": [True, 10]},
            "yes and no are no answers here",
            id="dose-yes",
        ),
        pytest.param(
            {"assay": "elisa"},
            r"assay\.name: 'elisa' is not possible; choose 'viability', 'reporter'",
            id="assay",
        ),
        pytest.param(
            {"objective": "best"},
            r"objective\.goal: 'best' is not possible; choose 'maximise'",
            id="goal",
        ),
        pytest.param(
            {"objective": {"goal": "selectivity", "target": "Z"}},
            r"objective\.target: Z is not among .*U2OS, HeLa",
            id="target",
        ),
        pytest.param(
            {"objective": {"goal": "minimise", "target": "U2OS"}},
            "selectivity' alone; remove it",
            id="idle-target",
        ),
        pytest.param(
            {"objective": "selectivity", "cell_lines": ["U2OS"]},
            "give at least 2",
            id="selectivity-one-line",
        ),
        pytest.param(
            {"objective": "selectivity", "batch_size": 1},
            "one comparison over 2 cell lines",
            id="selectivity-batch",
        ),
        pytest.param(
            {"plate_format": 100},
            "plate_format: 100 is not possible; choose 6, 12",
            id="plate",
        ),
        pytest.param(
            {"stock_mm": None},
            r"compounds\.0: a has no stock",
            id="no-stock",
        ),
        pytest.param(
            {
                "stock_mm": None,
                "compounds": [{"name": "a", "stock_mm": 1}],
                "controls": {"positive": {"compound": "s", "dose_um": 1}},
            },
            r"controls\.positive: s has no stock",
            id="no-control-stock",
        ),
        pytest.param(
            {"compounds": [{"name": "a", "max_dose_um": 0.001}]},
            r"compounds\.0\.max_dose_um: 0.001 µM for a is below",
            id="cap-below-range",
        ),
        pytest.param(
            {"max_solvent_percent": 1},
            "max_solvent_percent: 1 is too large; give .* at most 0.5",
            id="solvent",
        ),
        pytest.param(
            {"planner": {"acquisition": "x"}},
            r"planner\.acquisition: 'x' is not possible; choose",
            id="planner",
        ),
        pytest.param(
            {"seed": -1},
            "seed: -1 is too small",
            id="seed",
        ),
        pytest.param(
            {"budget_usd": math.inf},
            "budget_usd: inf is not possible; give a finite",
            id="budget",
        ),
    ],
)
def test_an_impossible_campaign_is_refused_with_key_value_and_cure(changes, message):
    with pytest.raises(ConfigError, match=message):
        _config(**changes)


def test_every_problem_is_told_once():
    with pytest.raises(ConfigError) as refused:
        _config(compounds=[{"name": "a", "stock": 1}], seed=-1)
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == ["compounds.0.stock", "seed"]


def test_what_is_missing_is_named():
    with pytest.raises(ConfigError) as refused:
        CampaignConfig()
    assert str(refused.value).splitlines() == [
        f"{key}: is missing; it has no default." for key in ("name", "cell_lines", "compounds", "dose_range_um")
    ]


def test_a_list_is_no_campaign():
    with pytest.raises(ConfigError, match="A campaign is a mapping of keys to values, not list"):
        CampaignConfig.from_dict(["name"])


YAML = """\
name: screen
cell_lines: [U2OS, HeLa]
compounds:
  - a
  - name: b
    stock_mm: {stock}
dose_range_um: [{low}, 10]
batch_size: 4
objective:
  goal: {goal}
"""


def _write(folder: Path, **values) -> Path:
    path = folder / "campaign.yaml"
    path.write_text(YAML.format(**{"stock": 5, "low": 0.01, "goal": "minimise", **values}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("values", "line", "key"),
    [
        pytest.param(
            {"stock": -1},
            6,
            r"compounds\.1\.stock_mm",
            id="in-a-list",
        ),
        pytest.param(
            {"low": 0},
            7,
            r"dose_range_um\.0",
            id="in-a-short-list",
        ),
        pytest.param(
            {"low": 20},
            7,
            "dose_range_um",
            id="over-two-values",
        ),
        pytest.param(
            {"goal": "best"},
            10,
            r"objective\.goal",
            id="nested",
        ),
        pytest.param(
            {"goal": "maximise\n  tagret: HeLa"},
            11,
            r"objective\.tagret",
            id="unknown-key",
        ),
    ],
)
def test_a_refusal_points_at_the_line_of_the_yaml(tmp_path, values, line, key):
    path = _write(tmp_path, **values)
    with pytest.raises(ConfigError, match=rf"campaign\.yaml, line {line}: {key}: "):
        CampaignConfig.from_yaml(path)


def test_a_check_made_later_points_at_the_line_as_well(tmp_path):
    config = CampaignConfig.from_yaml(_write(tmp_path))
    error = config.refuse(("compounds", 1), "b is unknown to the machine")
    assert str(error) == f"{tmp_path}/campaign.yaml, line 5: compounds.1: b is unknown to the machine."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "name: [",
            r"line 1, column 8: not valid YAML",
            id="malformed",
        ),
        pytest.param(
            "name: a\nname: b\n",
            r"line 2: the key 'name' stands twice \(first on line 1\)",
            id="key-twice",
        ),
        pytest.param(
            "- a\n- b\n",
            "expected 'key: value' lines at the top level, found list",
            id="a-list",
        ),
        pytest.param(
            "",
            "found NoneType",
            id="empty",
        ),
        pytest.param(
            "when: 2026-13-45\n",
            "not valid YAML",
            id="impossible-date",
        ),
        pytest.param(
            "? [a]\n: 1\n",
            "not valid YAML",
            id="list-as-key",
        ),
    ],
)
def test_a_file_that_is_no_campaign_is_refused(tmp_path, text, message):
    path = tmp_path / "campaign.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        CampaignConfig.from_yaml(path)


def test_a_missing_file_and_a_binary_file_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no such file"):
        CampaignConfig.from_yaml(tmp_path / "none.yaml")
    (tmp_path / "image.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="cannot be read as UTF-8 text"):
        CampaignConfig.from_yaml(tmp_path / "image.yaml")


def test_files_named_in_a_yaml_stand_beside_it(tmp_path):
    path = _write(tmp_path)
    path.write_text(path.read_text() + "machine: {kind: replay, screen: mine.csv}\n")
    assert CampaignConfig.from_yaml(path).machine.screen == str(tmp_path / "mine.csv")


@pytest.mark.parametrize("spelling", ["minimize", "minimise", {"goal": "minimize"}], ids=str)
def test_both_spellings_of_a_goal_are_one(spelling):
    assert _config(objective=spelling).objective.goal == "minimise"


def test_doses_are_even_in_log_dose_and_end_at_the_range_and_the_cap():
    config = _config(n_doses=4, compounds=["a", {"name": "b", "max_dose_um": 0.5}], batch_size=4)
    assert config.doses_um("a") == (0.01, 0.1, 1.0, 10.0)
    assert config.doses_um("b") == (0.01, 0.1)


def test_a_single_dose_is_the_highest():
    assert _config(n_doses=1, dose_range_um=[10, 10], batch_size=2).doses_um("a") == (10.0,)


def test_stocks_of_the_plate_plan_are_filled_in_and_hold_the_positive_control():
    config = _config(
        compounds=["a", {"name": "b", "stock_mm": 2}], controls={"positive": {"compound": "s", "dose_um": 1}}
    )
    plan = config.plate_plan()
    assert [(stock.name, stock.stock_mm) for stock in plan.stocks] == [("a", 10.0), ("b", 2.0), ("s", 10.0)]
    assert plan.stock_of("nothing") is None


def test_a_campaign_does_not_change():
    with pytest.raises(ValueError, match="frozen"):
        _config().seed = 3


NAMES = st.lists(st.text("abcXYZ-0 µ", min_size=1, max_size=8).filter(str.strip), min_size=2, max_size=4, unique=True)


@st.composite
def campaigns(draw):
    low = draw(st.floats(1e-4, 1.0))
    compounds = [draw(st.sampled_from([name, {"name": name, "stock_mm": 2.5}])) for name in draw(NAMES)]
    return CampaignConfig(
        name=draw(st.text(min_size=1, max_size=20).filter(str.strip)),
        cell_lines=draw(NAMES),
        compounds=compounds,
        dose_range_um=(low, low * draw(st.floats(1.5, 1e5))),
        n_doses=draw(st.integers(3, 20)),
        batch_size=draw(st.integers(4, 12)),
        objective=draw(st.sampled_from(["minimise", "maximise", "selectivity"])),
        plate_format=draw(st.sampled_from([6, 96, 384, 1536])),
        budget_usd=draw(st.none() | st.floats(0.01, 1e6)),
        convergence=draw(st.none() | st.just({"patience": 2})),
        seed=draw(st.integers(0, 2**63 - 1)),
    )


@given(config=campaigns())
@example(config=CampaignConfig.from_dict(MINIMAL | {"name": "next\x85line \u2028 µ"}))
@settings(max_examples=40, deadline=None)
def test_a_campaign_survives_yaml_json_and_dict(config, tmp_path_factory):
    path = tmp_path_factory.mktemp("campaign") / "campaign.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert CampaignConfig.from_yaml(path) == config
    assert CampaignConfig.from_dict(config.to_dict()) == config
    assert CampaignConfig.model_validate_json(config.to_json()) == config
    assert len({config, CampaignConfig.from_dict(config.to_dict())}) == 1


@given(config=campaigns())
@settings(max_examples=40, deadline=None)
def test_every_dose_lies_in_the_range_and_reads_the_same_everywhere(config):
    low, high = config.dose_range_um
    doses = config.doses_um(config.compound_names[0])
    assert doses[-1] == pytest.approx(high, rel=1e-5)
    assert list(doses) == sorted(set(doses))
    assert all(low <= dose <= high for dose in doses)

"""Templates say what they are for and what they take, and refuse what they cannot use."""

from __future__ import annotations

import ast
import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from recorded_campaigns import TINY, write_plainly

from cellos_nb import CampaignConfig, Lab
from cellos_nb.errors import ConfigError, InputError
from cellos_nb.records.catalogue import parse_parameters, templates
from cellos_nb.records.comparison import check_comparable, comparison_table, progress
from cellos_nb.records.curves import choose_curves, fit_table, read_points, shown_fits
from cellos_nb.records.folder import read_record
from cellos_nb.records.plates import artefact_table, quality_table, read_plates, verdicts
from cellos_nb.records.templates import template_paths

PATHS = [pytest.param(path, id=path.stem) for path in template_paths()]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab.open(tmp_path_factory.mktemp("lab") / "lab.db") as opened:
        yield opened


@pytest.fixture(scope="module")
def tiny(lab, tmp_path_factory):
    return write_plainly(lab, lab.run(TINY).campaign_id, tmp_path_factory.mktemp("tiny") / "record")


@pytest.mark.parametrize("path", PATHS)
def test_a_template_is_stored_without_outputs_and_checks_every_parameter_it_declares(path):
    notebook = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)
    (declared,) = [cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    names = re.findall(r"^(\w+): (?:str|int|float|bool|list) = .+  # \w", declared, re.MULTILINE)
    assert len(names) == len(declared.splitlines()), "every line has a type, a default and a comment"
    code = [cell.source.replace("%matplotlib inline", "") for cell in notebook.cells if cell.cell_type == "code"]
    (checks,) = [
        node for node in ast.walk(ast.parse("\n".join(code)))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check_parameters"
    ]  # fmt: skip
    assert [keyword.arg for keyword in checks.keywords] == names


def test_the_list_describes_every_template_and_parameter():
    for template in templates():
        assert template.title
        assert len(template.description) > 40
        assert all(parameter.help and parameter.default for parameter in template.parameters)


def test_parameters_are_read_as_what_the_template_declares():
    given = ["folder=1e3", "plates=[i001-p1, i002-p1]", "n_maps=2", "min_z_prime=1"]
    assert parse_parameters("plate_qc", given) == {
        "folder": "1e3", "plates": ["i001-p1", "i002-p1"], "n_maps": 2, "min_z_prime": 1,
    }  # fmt: skip


def test_all_that_is_wrong_with_parameters_is_said_at_once():
    with pytest.raises(ConfigError) as caught:
        parse_parameters("plate_qc", ["n_maps=two", "folder", "n_map=2", "plates=[", "min_z_prime=true", "folder=a",
                                      "folder=b"])  # fmt: skip
    said = str(caught.value).splitlines()
    assert said[:3] == [
        "n_maps: 'two' is no int; give one.",
        "folder: has no value; write folder=VALUE.",
        "n_map: unknown parameter; possible: folder, plates, n_maps, min_z_prime, max_vehicle_cv.",
    ]
    assert [line.partition(":")[0] for line in said[3:]] == ["plates", "min_z_prime", "folder"]


def test_plates_are_judged_from_the_record_alone(lab, tmp_path):
    config = CampaignConfig(
        name="plates", cell_lines=["A549"], compounds=["staurosporine"], dose_range_um=[0.01, 10], n_doses=4,
        batch_size=4, max_iterations=1, replicates=3, machine="biology", planner="space_filling", seed=1,
        controls={"vehicle": 8, "positive": {"compound": "staurosporine", "dose_um": 10, "wells": 6}},
    )  # fmt: skip
    (plate,) = read_plates(write_plainly(lab, lab.run(config).campaign_id, tmp_path / "record"))
    (row,) = quality_table((plate,)).to_dict("records")
    assert (row["plate"], row["cell line"], row["vehicle wells"]) == ("i001-p1", "A549", "8")
    assert float(row["Z′"]) == pytest.approx(plate.quality.of("A549").robust_z_prime, rel=0.01)
    assert set(artefact_table((plate,)).columns) == {"plate", "swapped rows", "bubble", "edge", "drift"}
    assert "low zprime" in verdicts((plate,), min_z_prime=0.999, max_vehicle_cv=0.2)["verdict"][0]
    assert "noisy vehicle" in verdicts((plate,), min_z_prime=-9, max_vehicle_cv=0.0001)["verdict"][0]


def test_a_folder_without_readings_is_refused(tmp_path):
    with pytest.raises(InputError, match="its plates cannot be read"):
        read_plates(tmp_path)


def test_the_potencies_of_a_table_are_those_that_made_it(tmp_path):
    doses = np.geomspace(0.001, 100, 12)
    rows = [("K562", name, dose, 0.1 + 0.9 / (1 + (dose / ec50))) for name, ec50 in (("strong", 0.05), ("weak", 2.0))
            for dose in doses]  # fmt: skip
    pd.DataFrame(rows, columns=["cell_line", "compound", "dose_um", "value"]).to_csv(tmp_path / "t.csv", index=False)
    fits = fit_table(read_points(tmp_path / "t.csv"))
    assert list(fits["compound"]) == ["strong", "weak"]
    assert fits["ec50"].to_numpy() == pytest.approx([0.05, 2.0], rel=1e-3)
    assert list(shown_fits(fits)["EC50"]) == ["0.05 µM", "2 µM"]


def test_points_come_from_a_record_or_from_the_shipped_screen_too(tiny):
    history = pd.read_csv(tiny / "history.csv")
    assert len(read_points(tiny)) == len(history) == len(read_points(tiny / "history.csv"))
    shipped = read_points("")
    assert (shipped["cell_line"].nunique(), shipped["compound"].nunique()) == (9, 72)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("cell_line,dose_um\nA,1\n", "the columns compound, value are missing", id="columns"),
        pytest.param("cell_line,compound,dose_um,value\nA,B,one,1\n", "dose_um holds something that is no", id="text"),
        pytest.param("", "t.csv: is empty; give a line of headers", id="empty"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=said):
        read_points(tmp_path / "t.csv")


def test_a_compound_that_is_not_in_the_table_is_answered_with_those_there_are(tiny):
    with pytest.raises(InputError, match="compound: Aspirin is not in the table; possible: Trametinib, Dinaciclib"):
        choose_curves(read_points(tiny), [], ["Aspirin"])


def test_campaigns_with_one_question_are_compared_and_others_refused(lab, tiny, tmp_path):
    changes = {"name": "spread", "planner": {"kind": "space_filling"}}
    spread = lab.run(CampaignConfig.from_dict(TINY.to_dict() | changes))
    both = [read_record(tiny), read_record(write_plainly(lab, spread.campaign_id, tmp_path / "spread"))]
    check_comparable(both)
    table = comparison_table(both)
    assert list(table["planner"]) == ["random", "space_filling"]
    made, best = progress(both[1])
    assert list(made) == [4, 8]
    assert best[-1] == spread.best().score.value
    asked_for_more = lab.run(CampaignConfig.from_dict(TINY.to_dict() | {"name": "up", "objective": "maximise"}))
    other = read_record(write_plainly(lab, asked_for_more.campaign_id, tmp_path / "up"))
    with pytest.raises(InputError, match="up: its goal is maximise, that of tiny is minimise"):
        check_comparable([*both, other])
    with pytest.raises(InputError, match="at least two"):
        check_comparable(both[:1])

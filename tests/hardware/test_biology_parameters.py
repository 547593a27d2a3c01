"""The parameter file of simulated biology, shipped and of one's own."""

from __future__ import annotations

import pytest
from machine_plates import Plate, Well, run

from cellos_nb.errors import ConfigError
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.hardware.biology_parameters import load_parameters

OWN = """\
cell_lines:
  - name: MyLine
    doubling_time_h: 30
    confluence_limit: 0.9
    confluent_density_per_cm2: 1.0e+5
    rlu_per_cell: {value: 50, source: our reader}
compounds:
  - name: drug
    ic50_um: 2
    hill: 1
    emax: 0.9
    death_h: 8
    line_log10_shift: {MyLine: 0.5}
"""


@pytest.fixture
def file_of(tmp_path):
    def write(text):
        path = tmp_path / "biology.yaml"
        path.write_text(text)
        return path

    return write


def quantities(values, at=""):
    if isinstance(values, dict) and "source" in values:
        yield at, values
    elif isinstance(values, dict):
        for key, value in values.items():
            yield from quantities(value, f"{at}.{key}")
    elif isinstance(values, list | tuple):
        for i, value in enumerate(values):
            yield from quantities(value, f"{at}.{i}")


def test_every_shipped_value_names_a_source_that_is_explained():
    parameters = load_parameters()
    found = dict(quantities(parameters.model_dump(exclude={"sources"})))
    assert len(found) > 100
    assert {values["source"] for values in found.values()} <= set(parameters.sources)
    assert {c.shift_source for c in parameters.compounds if c.line_log10_shift} <= set(parameters.sources)


def test_the_shipped_lines_and_compounds_are_there():
    parameters = load_parameters()
    lines = {line.name: line.doubling_time_h.value for line in parameters.cell_lines}
    assert lines == {
        "A549": 22, "HepG2": 48, "HEK293T": 24, "HeLa": 20, "U2OS": 28, "Jurkat": 18, "CHO": 22, "iPSC": 32,
    }  # fmt: skip
    compounds = {compound.name: compound for compound in parameters.compounds}
    assert len(compounds) >= 8
    for line in lines:
        stauro, tunica = (
            c.ic50_um.value * 10 ** c.line_log10_shift.get(line, 0.0)
            for c in (compounds["staurosporine"], compounds["tunicamycin"])
        )
        assert 0.0495 <= stauro <= 0.0805
        assert 0.595 <= tunica <= 0.805


def test_a_file_of_ones_own_needs_lines_and_compounds_alone(file_of):
    machine = BiologicalVirtualMachine(file_of(OWN))
    assert machine.describe().cell_lines == ("MyLine",)
    assert "biology.yaml" in machine.describe().data_source
    low, high = run(machine, Plate({"B2": Well("MyLine"), "B3": Well("MyLine", "drug", 500.0)})).channels[0].values
    assert high < 0.3 * low


def test_single_values_of_a_section_may_be_changed(file_of):
    parameters = load_parameters(file_of(OWN + "noise: {outlier_fraction: 0}\n"))
    assert parameters.noise.outlier_fraction.value == 0
    assert parameters.noise.well_cv.value == 0.015


REFUSED = {
    "unknown key": (OWN + "nose: {}\n", r"line \d+: nose: unknown key; did you mean 'noise'\?"),
    "unknown parameter": (OWN.replace("hill:", "hil:"), r"line 10: compounds.0.hil: unknown key; did you mean 'hill'"),
    "missing": (OWN.replace("    hill: 1\n", ""), r"compounds.0.hill: is missing"),
    "negative": (OWN.replace("ic50_um: 2", "ic50_um: -2"), r"line 9: compounds.0.ic50_um.value: -2 is too small"),
    "text": (OWN.replace("hill: 1", "hill: steep"), r"compounds.0.hill.value: 'steep' is not possible"),
    "share above one": (OWN.replace("emax: 0.9", "emax: 90"), r"compounds.0.emax.value: 90 is too large"),
    "not a number": (OWN.replace("emax: 0.9", "emax: .nan"), r"compounds.0.emax.value: nan is not possible"),
    "infinite": (OWN.replace("death_h: 8", "death_h: .inf"), r"compounds.0.death_h.value: inf is not possible"),
    "shift of an unknown line": (
        OWN.replace("{MyLine: 0.5}", "{HeLa: 0.5}"),
        r"HeLa is none of the cell lines: MyLine",
    ),
    "no lines": (OWN.replace(OWN[: OWN.index("compounds")], "cell_lines: []\n"), r"cell_lines: \[\] is not possible"),
    "line twice": (
        OWN.replace("compounds:", OWN[OWN.index("  - name: MyLine") : OWN.index("compounds:")] + "compounds:"),
        r"line 7: cell_lines.1.name: MyLine stands twice; keep one",
    ),
    "lag reversed": (OWN + "growth: {lag_end_h: 2}\n", r"growth.lag_end_h: must be later than lag_start_h"),
    "no room": (OWN.replace("confluence_limit: 0.9", "confluence_limit: 0"), r"0 leaves no room for a cell"),
    "failure reversed": (OWN + "noise: {failure_highest_factor: 0.001}\n", r"must not be below failure_lowest_factor"),
    "section that is none": (OWN + "noise: loud\n", r"noise: 'loud' is not possible"),
    "no YAML": ("cell_lines: [", r"not valid YAML"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_parameter_is_refused_with_its_line(file_of, text, message):
    with pytest.raises(ConfigError, match=message):
        load_parameters(file_of(text))

"""A lab's own protocol is compiled as it is written, from a campaign or a plug-in, and refused when it is none."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from cellos_nb import CampaignConfig, Lab
from cellos_nb.checks import check_config
from cellos_nb.domain.settings import AssaySettings
from cellos_nb.errors import ConfigError
from cellos_nb.testing import AssayContract
from cellos_nb.workflow import assays

SEED, DOSE, READ = {"kind": "seed"}, {"kind": "dose"}, {"kind": "read"}
EARLY = {
    "name": "viability",
    "protocol": "early death",
    "steps": [
        SEED,
        {"kind": "incubate", "duration_h": 16, "name": "attach"},
        DOSE,
        {"kind": "incubate", "duration_h": 6},
        READ,
    ],
    "cells_per_well": 9000,
}  # fmt: skip
BROUGHT = AssaySettings(**{key: value for key, value in EARLY.items() if key != "cells_per_well"})


def campaign(assay, **changes):
    fixed = {
        "name": "own",
        "cell_lines": ["A549"],
        "compounds": ["staurosporine"],
        "dose_range_um": [0.01, 10],
        "n_doses": 4,
        "batch_size": 4,
        "max_iterations": 1,
        "machine": "biology",
        "planner": "space_filling",
    }
    return CampaignConfig(**(fixed | {"assay": assay} | changes))


@pytest.fixture
def plugged(monkeypatch):
    """Brings protocols as installed packages would."""

    def bring(**values):
        found = {name: EntryPoint(name, "my_lab:protocol", assays.ENTRY_POINTS) for name in values}
        monkeypatch.setattr(EntryPoint, "load", lambda entry: values[entry.name])
        monkeypatch.setattr(
            assays, "entry_points", lambda group, name=None: [e for n, e in found.items() if name in {None, n}]
        )

    return bring


class TestAProtocolOfAPackage(AssayContract):
    protocol = "early_death"

    @pytest.fixture(autouse=True)
    def _is_installed(self, tmp_path, monkeypatch):
        info = tmp_path / "early_death-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: early-death\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{assays.ENTRY_POINTS}]\nearly_death = {__name__}:BROUGHT\n")
        monkeypatch.syspath_prepend(tmp_path)


def shape(workflow):
    return [(step.name, step.kind.value, step.duration_h) for step in workflow.steps if step.kind != "dilute"]


WANTED = [("seed", "seed", None), ("attach", "incubate", 16.0), ("dose", "dose", None), ("incubate", "incubate", 6.0),
          ("read", "read", None)]  # fmt: skip


def test_a_protocol_in_a_campaign_is_compiled_and_executed_as_written(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        ran = lab.run(campaign(EARLY))
        (workflow,) = ran.workflows()
        assert shape(workflow) == WANTED
        seed = workflow.steps[0]
        (cells,) = [fill.liquid for fill in seed.fills if fill.liquid.cell_line]
        assert cells.cells_per_ul * seed.transfers.volume_ul[0] == pytest.approx(9000)
        usual = lab.run(campaign("viability"))
    early, late = (min(r.measurement for r in each.results if r.measurement is not None) for each in (ran, usual))
    assert early > late + 0.1, "six hours kill fewer cells than three days"


def test_a_protocol_of_a_plug_in_is_meant_by_its_name(plugged):
    plugged(early=BROUGHT)
    by_name = campaign({"protocol": "early", "cells_per_well": 9000})
    assert check_config(by_name).hours_per_iteration == check_config(campaign(EARLY)).hours_per_iteration
    assert assays.protocols() == ("early",)


@pytest.mark.parametrize(
    ("brought", "assay", "said"),
    [
        pytest.param({}, {"protocol": "early"}, "no protocol 'early'; possible: none is installed", id="none"),
        pytest.param({"late": BROUGHT}, {"protocol": "early"}, "possible: late", id="another"),
        pytest.param({"early": 5}, {"protocol": "early"}, "is no AssaySettings with steps", id="no protocol"),
        pytest.param({"early": BROUGHT}, {"name": "reporter", "protocol": "early"},
                     "a protocol of the assay 'viability', not of 'reporter'", id="other assay"),
        pytest.param({"early": BROUGHT}, {"protocol": "early", "treatment_h": 5},
                     "assay.treatment_h: the protocol 'early' has no step called 'treat'", id="no treatment"),
    ],
)  # fmt: skip
def test_a_protocol_that_no_plug_in_brings_is_refused_before_anything_is_stored(plugged, brought, assay, said):
    plugged(**brought)
    with pytest.raises(ConfigError, match=said):
        check_config(campaign(assay))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"protocol": None}, "assay.protocol: steps of one's own need a name", id="no name"),
        pytest.param({"treatment_h": 5}, "assay.treatment_h: stands beside steps", id="two durations"),
        pytest.param({"steps": [SEED, READ]}, "there are 0 steps of the kind dose", id="no dose"),
        pytest.param({"steps": [SEED, DOSE, DOSE, READ]}, "there are 2 steps of the kind dose", id="two doses"),
        pytest.param({"steps": [DOSE, SEED, READ]}, "begins with dose", id="dose first"),
        pytest.param({"steps": [SEED, DOSE, READ, {"kind": "incubate", "duration_h": 1}]}, "ends with incubate",
                     id="reads too early"),
        pytest.param({"steps": [SEED, {"kind": "incubate"}, DOSE, READ]}, r"step 2 \(incubate\): give its duration_h",
                     id="no duration"),
        pytest.param({"steps": [SEED, {"kind": "dose", "duration_h": 2}, READ]}, "only incubations have",
                     id="long dose"),
        pytest.param({"steps": [SEED, DOSE, {"kind": "stain"}, READ]}, "read without stain", id="stain"),
        pytest.param({"name": "imaging", "steps": [SEED, {"kind": "stain"}, DOSE, {"kind": "image"}]},
                     "stains before the dose", id="stained before"),
        pytest.param({"n_sites": 4}, "assay.n_sites: belongs to imaging alone", id="sites"),
        pytest.param({"steps": [SEED, DOSE, {"kind": "read", "name": "../x"}]}, "begin with a letter", id="name"),
        pytest.param({"steps": [SEED, DOSE, {"kind": "wash"}, READ]}, "'wash' is not possible; choose", id="kind"),
    ],
)  # fmt: skip
def test_what_is_no_protocol_is_refused_with_what_to_change(changes, said):
    with pytest.raises(ConfigError, match=said):
        campaign(EARLY | changes)


def test_the_line_of_the_yaml_is_named(tmp_path):
    text = campaign("viability").to_yaml().replace("  protocol: null", "  protocol: early death")
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    line = text.splitlines().index("  protocol: early death") + 1
    with pytest.raises(ConfigError, match=rf"c\.yaml, line {line}: assay\.protocol: there is no protocol"):
        check_config(CampaignConfig.from_yaml(tmp_path / "c.yaml"))

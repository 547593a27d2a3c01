"""Machine files: what a lab says about its machines."""

from __future__ import annotations

import pytest

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.settings import MachineSettings
from cellos_nb.errors import ConfigError
from cellos_nb.hardware.registry import check_files, file_kinds, identity_of, open_machine, read_file, template_of

QUESTION = (
    "name: q\ncell_lines: [U2OS]\ncompounds: [staurosporine]\ndose_range_um: [0.1, 1]\n"
    "objective: minimise\nbatch_size: 2\n"
)


@pytest.fixture
def machines(tmp_path, monkeypatch):
    """The folder of machine files of a lab whose working folder it stands in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CELLOS_MACHINE_FILES", raising=False)
    (tmp_path / "machines").mkdir()
    return tmp_path / "machines"


def written(folder, name, text):
    (folder / f"{name}.yaml").write_text(text)
    return folder / f"{name}.yaml"


@pytest.mark.parametrize("kind", file_kinds())
def test_the_template_of_each_kind_is_accepted_and_described_as_it_stands(kind, machines):
    path = written(machines, "mine", template_of(kind))
    assert read_file(path).name == "mine"
    machine = open_machine(MachineSettings(kind="mine"))
    if kind != "cluster":  # whose robots are asked elsewhere
        assert machine.describe().machine == "mine"
    machine.stop()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("name: x\n", r"bench.yaml: kind: is missing; possible: virtual, ", id="no kind"),
        pytest.param("kind: bnech\n", r"bench.yaml, line 1: kind: 'bnech' is no kind of machine file", id="wrong kind"),
        pytest.param(
            "kind: virtual\nlimits: {min_volume_ul: 5, max_volume_ul: 2}\n",
            r"bench.yaml, line 2: limits: .*max_volume_ul is below min_volume_ul",
            id="range upside down",
        ),
        pytest.param(
            "kind: bench\npipettes:\n  - {name: P2, min_ul: 0.2, max_ull: 2}\n",
            r"bench.yaml, line 3: pipettes.0.max_ull: unknown key; did you mean 'max_ul'",
            id="typing error",
        ),
        pytest.param(
            "kind: bench\npipettes: [{name: P2, min_ul: 1, max_ul: 2}]\nreader:\n  signals: {lum: RLU}\n",
            r"bench.yaml, line 4: reader.signals.lum: is no signal that the assays are read for: luminescence",
            id="no such signal",
        ),
    ],
)
def test_what_is_wrong_in_a_machine_file_is_named_with_line_key_and_what_is_possible(text, problem, machines):
    with pytest.raises(ConfigError, match=problem):
        read_file(written(machines, "bench", text))


def test_a_campaign_names_a_machine_file_in_the_folder_beside_it(machines, monkeypatch, tmp_path_factory):
    written(machines, "small", "kind: virtual\nlimits: {min_volume_ul: 1}\n")
    campaign = written(machines.parent, "campaign", f"{QUESTION}machine: small\n")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    config = CampaignConfig.from_yaml(campaign)
    assert open_machine(config.machine).describe().min_volume_ul == 1
    assert CampaignConfig.from_dict(config.to_dict()) == config


def test_a_campaign_names_a_machine_file_by_its_path(machines):
    written(machines, "small", "kind: virtual\nlimits: {max_volume_ul: 20}\n")
    campaign = written(machines.parent, "campaign", f"{QUESTION}machine: machines/small.yaml\n")
    assert open_machine(CampaignConfig.from_yaml(campaign).machine).describe().max_volume_ul == 20


def test_machine_files_may_lie_in_a_folder_that_the_environment_names(machines, monkeypatch, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("lab")
    written(elsewhere, "small", "kind: virtual\n")
    monkeypatch.setenv("CELLOS_MACHINE_FILES", str(elsewhere))
    assert open_machine(MachineSettings(kind="small")).describe().machine == "small"


def test_a_name_that_is_neither_kind_nor_file_is_refused_with_both(machines):
    written(machines, "small", "kind: virtual\n")
    with pytest.raises(ConfigError, match=r"no machine 'big' is installed; possible: virtual, .*machines: small"):
        open_machine(MachineSettings(kind="big"))


def test_two_files_of_one_name_are_found(machines):
    first = written(machines, "a", "kind: virtual\nname: arm\n")
    second = written(machines, "b", "kind: virtual\nname: arm\n")
    (_, right, _), (_, wrong, problem) = check_files((first, second))
    assert right.name == "arm"
    assert wrong is None
    assert f"'arm' is the machine in {first} as well" in problem


def test_a_real_machine_is_the_same_for_every_campaign_and_a_simulated_one_is_not(machines):
    written(machines, "hands", template_of("bench"))
    written(machines, "cells", template_of("biology"))
    hands, cells = MachineSettings(kind="hands"), MachineSettings(kind="cells")
    assert identity_of(hands, 1) == identity_of(hands, 2) == "bench-hands"
    assert identity_of(cells, 1) != identity_of(cells, 2)
    before = identity_of(cells, 1)
    written(machines, "cells", template_of("biology").replace("max_volume_ul: 1000", "max_volume_ul: 500"))
    assert identity_of(cells, 1) != before


def test_ledgers_of_machines_without_files_keep_the_names_they_had():
    assert identity_of(MachineSettings(kind="biology"), 7) == "biology-b01143ba"

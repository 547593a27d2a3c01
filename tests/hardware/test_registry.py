"""Machines by name."""

from __future__ import annotations

import sys

import pytest

from cellos_nb.domain.settings import MachineSettings
from cellos_nb.errors import ConfigError, ScreenError
from cellos_nb.hardware.biology import BiologicalVirtualMachine
from cellos_nb.hardware.registry import kinds, open_machine, settings_of
from cellos_nb.hardware.replay import ReplayMachine
from cellos_nb.hardware.robots import EqualRobots
from cellos_nb.hardware.virtual import VirtualMachine


@pytest.mark.parametrize(
    ("kind", "machine"),
    [("virtual", VirtualMachine), ("biology", BiologicalVirtualMachine), ("replay", ReplayMachine)],
    ids=["virtual", "biology", "replay"],
)
def test_each_kind_opens_its_machine(kind, machine):
    assert type(open_machine(MachineSettings(kind=kind))) is machine


def test_an_unknown_kind_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match="no machine 'ot3' is installed; possible: virtual, biology, replay, cluster"):
        open_machine(MachineSettings(kind="ot3"))


@pytest.mark.parametrize(
    "settings",
    [
        MachineSettings(kind="virtual", screen="x.csv"),
        MachineSettings(kind="biology", screen="x.csv"),
        MachineSettings(kind="virtual", parameters="x.yaml"),
        MachineSettings(kind="replay", parameters="x.yaml"),
    ],
    ids=lambda settings: f"{settings.kind} {settings.screen or settings.parameters}",
)
def test_a_file_that_the_kind_does_not_read_is_refused(settings):
    with pytest.raises(ConfigError, match=f"of kind '{settings.kind}' reads no (screen|parameters) file"):
        open_machine(settings)


def test_files_of_ones_own_reach_the_machine():
    with pytest.raises(ScreenError, match=r"no-such-screen.csv: there is no such screen"):
        open_machine(MachineSettings(kind="replay", screen="no-such-screen.csv"))
    with pytest.raises(ConfigError, match=r"no-such.yaml: there is no such file"):
        open_machine(MachineSettings(kind="biology", parameters="no-such.yaml"))


@pytest.fixture
def plug_in(tmp_path, monkeypatch):
    """A real distribution on the path, with one machine that works and one that does not."""
    (tmp_path / "my_robots.py").write_text(
        "from cellos_nb.hardware.virtual import VirtualMachine\n"
        "def arm(settings, ledger, seed):\n    return VirtualMachine(ledger, name=f'arm-{seed}')\n"
    )
    info = tmp_path / "my_robots-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-robots\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cellos_nb.machines]\narm = my_robots:arm\nbroken = my_robots_gone:arm\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("my_robots", None)


@pytest.mark.usefixtures("plug_in")
def test_a_plug_in_brings_its_machine():
    assert kinds() == ("virtual", "biology", "replay", "cluster", "opentrons", "arm", "broken")
    assert open_machine(MachineSettings(kind="arm"), seed=4).describe().machine == "arm-4"


@pytest.mark.usefixtures("plug_in")
def test_a_plug_in_that_cannot_be_loaded_is_named():
    with pytest.raises(ConfigError, match="the plug-in my_robots_gone:arm cannot be loaded"):
        open_machine(MachineSettings(kind="broken"))


def test_robots_on_a_cluster_stand_for_one_machine_that_is_reached_later():
    settings = MachineSettings(kind="cluster", address="tcp://127.0.0.1:1", robots=("r1", "r2"))
    machine = open_machine(settings)
    assert type(machine) is EqualRobots
    assert tuple(machine.machines) == ("r1", "r2")
    machine.stop()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        pytest.param({"kind": "cluster", "robots": ("r1",)}, "machine.address: .* needs the scheduler's", id="address"),
        pytest.param({"kind": "cluster", "address": "tcp://x:1"}, "machine.robots: name the robots", id="no robots"),
        pytest.param(
            {"kind": "cluster", "address": "tcp://x:1", "robots": ("r1", "r1")}, "each once", id="one robot twice"
        ),
        pytest.param({"kind": "virtual", "robots": ("r1",)}, "'virtual' has no address or robots", id="not a cluster"),
        pytest.param(
            {"kind": "cluster", "address": "tcp://x:1", "robots": ("r1",), "screen": "x.csv"},
            "reads no screen",
            id="screen",
        ),
    ],
)
def test_a_cluster_that_is_not_named_whole_is_refused(values, problem):
    with pytest.raises(ConfigError, match=problem):
        open_machine(MachineSettings(**values))


def test_the_screen_in_a_machine_file_lies_beside_it(tmp_path):
    (tmp_path / "arm.yaml").write_text("kind: replay\nscreen: own.csv\n")
    with pytest.raises(ScreenError, match=rf"{tmp_path}/own.csv: there is no such screen"):
        open_machine(settings_of(str(tmp_path / "arm.yaml")))
    assert settings_of("virtual") == MachineSettings(kind="virtual")
    (tmp_path / "bad.yaml").write_text("kind: replay\nscreen_: own.csv\n")
    with pytest.raises(ConfigError, match=r"bad.yaml, line 2: screen_: unknown key; did you mean 'screen'"):
        settings_of(str(tmp_path / "bad.yaml"))

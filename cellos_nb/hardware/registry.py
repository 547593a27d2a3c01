"""Machines by name: those that come with the package, and those that plug-ins bring."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

from pydantic import ValidationError

from cellos_nb.domain.config_errors import describe_all
from cellos_nb.domain.settings import MachineSettings
from cellos_nb.domain.yaml_lines import read_yaml
from cellos_nb.errors import ConfigError
from cellos_nb.hardware.interface import HardwareInterface

ENTRY_POINTS = "cellos_nb.machines"
"""A plug-in's entry point in this group names a function `(settings, ledger, seed) -> HardwareInterface`."""

Factory = Callable[[MachineSettings, Path | None, int], HardwareInterface]


def open_machine(settings: MachineSettings, ledger: Path | None = None, seed: int = 0) -> HardwareInterface:
    """The machine that a configuration asks for, ready for steps.

    Args:
        settings: kind and files.
        ledger: where a simulated machine keeps its memory; in this process alone when None.
        seed: behind the noise of simulated machines.

    Raises:
        ConfigError: no machine of that kind is installed, or its parameters are refused.
        ScreenError: the screen to replay is refused.
        MachineError: the machine cannot be reached, or its ledger is held by another one.
    """
    if settings.kind != "cluster" and (settings.address or settings.robots):
        raise ConfigError(f"machine: a machine of kind '{settings.kind}' has no address or robots. Leave them out.")
    factory = _BUILT_IN.get(settings.kind) or _plugged_in(settings.kind)
    if factory is None:
        raise ConfigError(f"machine.kind: no machine '{settings.kind}' is installed; possible: {', '.join(kinds())}.")
    return factory(settings, ledger, seed)


def kinds() -> tuple[str, ...]:
    """All kinds that `open_machine` knows: the built-in ones, then those of plug-ins."""
    return tuple(dict.fromkeys((*_BUILT_IN, *sorted(entry.name for entry in entry_points(group=ENTRY_POINTS)))))


def read_settings(kind_or_file: str) -> MachineSettings:
    """What to open: the machine of a kind, or what a YAML file says in the form of a campaign's `machine:`.

    File names inside it are relative to the file.

    Raises:
        ConfigError: the file cannot be read, or a value in it is refused; the message has its line.
    """
    path = Path(kind_or_file)
    if path.suffix not in {".yaml", ".yml"}:
        return MachineSettings(kind=kind_or_file)
    document = read_yaml(path)
    content = {str(key): value for key, value in document.content.items()}
    for key in ("screen", "parameters"):
        if isinstance(content.get(key), str):
            content[key] = str(path.parent / content[key])
    try:
        return MachineSettings.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(describe_all(error, MachineSettings, document))) from error


def _virtual(settings: MachineSettings, ledger: Path | None, seed: int) -> HardwareInterface:
    from cellos_nb.hardware.virtual import VirtualMachine

    _refuse_files(settings, screen=settings.screen, parameters=settings.parameters)
    del seed  # a machine without biology has no noise
    return VirtualMachine(ledger)


def _biology(settings: MachineSettings, ledger: Path | None, seed: int) -> HardwareInterface:
    from cellos_nb.hardware.biology import BiologicalVirtualMachine

    _refuse_files(settings, screen=settings.screen)
    return BiologicalVirtualMachine(settings.parameters, ledger, seed=seed)


def _replay(settings: MachineSettings, ledger: Path | None, seed: int) -> HardwareInterface:
    from cellos_nb.hardware.replay import ReplayMachine

    _refuse_files(settings, parameters=settings.parameters)
    return ReplayMachine(settings.screen, ledger, seed=seed)


def _cluster(settings: MachineSettings, ledger: Path | None, seed: int) -> HardwareInterface:
    from cellos_nb.hardware.cluster.machine import open_cluster

    _refuse_files(settings, screen=settings.screen, parameters=settings.parameters)
    del ledger, seed  # the robots' hosts have them
    if settings.address is None:
        raise ConfigError(
            "machine.address: a machine of kind 'cluster' needs the scheduler's address, as in tcp://127.0.0.1:8786."
        )
    if not settings.robots or len(set(settings.robots)) != len(settings.robots):
        raise ConfigError("machine.robots: name the robots that share the campaign, each once.")
    return open_cluster(settings.address, settings.robots)


def _opentrons(settings: MachineSettings, ledger: Path | None, seed: int) -> HardwareInterface:
    from cellos_nb.hardware.opentrons.machine import open_opentrons

    _refuse_files(settings, screen=settings.screen)
    del seed  # nothing about it is simulated
    return open_opentrons(settings.parameters, ledger)


def _refuse_files(settings: MachineSettings, **files: str | None) -> None:
    for key, file in files.items():
        if file is not None:
            raise ConfigError(f"machine.{key}: a machine of kind '{settings.kind}' reads no {key} file. Leave it out.")


_BUILT_IN: dict[str, Factory] = {
    "virtual": _virtual,
    "biology": _biology,
    "replay": _replay,
    "cluster": _cluster,
    "opentrons": _opentrons,
}

SEEDLESS = frozenset({"opentrons"})
"""Kinds of which there is one machine whatever the seed of a campaign is, because they are real."""


def _plugged_in(kind: str) -> Factory | None:
    for entry in entry_points(group=ENTRY_POINTS, name=kind):
        try:
            factory: Factory = entry.load()
        except Exception as error:
            raise ConfigError(f"machine.kind: the plug-in {entry.value} cannot be loaded ({error}).") from error
        return factory
    return None

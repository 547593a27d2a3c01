"""Machines by name: those that come with the package, those that plug-ins bring, and those of a lab's machine files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from cellos_nb.domain.settings import IMPORTED, MachineSettings
from cellos_nb.errors import ConfigError
from cellos_nb.hardware.configuration import (
    BiologyFile,
    ClusterFile,
    MachineFile,
    PlugInFile,
    ReplayFile,
    VirtualFile,
    file_of,
    problems,
    read_machine_file,
)
from cellos_nb.hardware.interface import HardwareInterface

ENTRY_POINTS = "cellos_nb.machines"
"""A plug-in's entry point in this group names a function `(settings, ledger, seed) -> HardwareInterface`."""

Factory = Callable[[MachineSettings, Path | None, int], HardwareInterface]


def open_machine(settings: MachineSettings, ledger: Path | None = None, seed: int = 0) -> HardwareInterface:
    """The machine that a configuration asks for, ready for steps.

    Args:
        settings: kind and files, or the name of a machine file.
        ledger: where a machine keeps its memory; in this process alone when None.
        seed: behind the noise of simulated machines.

    Raises:
        ConfigError: no machine of that kind or name is there, or its file or parameters are refused.
        ScreenError: the screen to replay is refused.
        MachineError: the machine cannot be reached, or its ledger is held by another one.
    """
    if settings.kind == IMPORTED:
        raise ConfigError(
            f"machine.kind: '{IMPORTED}' marks results that were measured elsewhere and is no machine; "
            f"possible: {', '.join(kinds())}."
        )
    path = file_of(settings, kinds())
    if path is not None:
        return _open_file(read_file(path), ledger, seed)
    if settings.kind != "cluster" and (settings.address or settings.robots):
        raise ConfigError(f"machine: a machine of kind '{settings.kind}' has no address or robots. Leave them out.")
    factory = _BUILT_IN.get(settings.kind) or _plugged_in(settings.kind)
    if factory is None:
        raise ConfigError(f"machine.kind: '{settings.kind}' needs a machine file; write {settings.kind}.yaml first.")
    return factory(settings, ledger, seed)


def identity_of(settings: MachineSettings, seed: int) -> str:
    """What tells a machine from every other one of a lab: the name of its memory on the disk.

    A simulated machine is another one for each seed and form; a real one is itself, whoever uses it.

    Raises:
        ConfigError: the settings name a machine file that cannot be read.
    """
    path = file_of(settings, kinds())
    if path is None:
        # Ledgers were named without these before, and must be found again.
        text = settings.model_dump_json(exclude={"file"} | (set() if settings.address else {"address", "robots"}))
        seed = 0 if settings.kind in _SEEDLESS else seed
        return f"{settings.kind}-{_digest(f'{text}/{seed}')}"
    found = read_file(path)
    if found.is_real:
        return f"{found.kind}-{found.name}"
    return f"{found.kind}-{_digest(f'{found.model_dump_json()}/{seed}')}"


def kinds() -> tuple[str, ...]:
    """All kinds that need no machine file: the built-in ones, then those of plug-ins."""
    return tuple(dict.fromkeys((*_BUILT_IN, *sorted(entry.name for entry in entry_points(group=ENTRY_POINTS)))))


def file_kinds() -> tuple[str, ...]:
    """The kinds that a machine file may have."""
    return tuple(_FILES)


def read_file(path: Path) -> MachineFile:
    """A machine file, checked.

    Raises:
        ConfigError: as `read_machine_file`.
    """
    return read_machine_file(path, _models())


def check_files(paths: tuple[Path, ...]) -> tuple[tuple[Path, MachineFile | None, str], ...]:
    """Machine files with what they say, or what is wrong in them."""
    return tuple(problems(paths, _models()))


def template_of(kind: str) -> str:
    """A machine file of one kind to begin with, every key explained; it is accepted as it stands.

    Raises:
        ConfigError: no such kind.
    """
    if kind not in _FILES:
        raise ConfigError(f"{kind}: is no kind of machine file; possible: {', '.join(_FILES)}.")
    return (resources.files("cellos_nb.hardware") / "machine_templates" / f"{kind}.yaml").read_text(encoding="utf-8")


def settings_of(kind_or_file: str) -> MachineSettings:
    """What to open: the machine of a kind, of a machine file, or of the one by that name in the machines' folder."""
    path = Path(kind_or_file)
    if path.suffix in {".yaml", ".yml"}:
        read_file(path)  # what is wrong in it is said now, before anything is opened
        return MachineSettings(kind=path.stem, file=str(path))
    return MachineSettings(kind=kind_or_file)


def _virtual(settings: MachineSettings, ledger: Path | None, seed: int) -> HardwareInterface:
    _refuse_files(settings, screen=settings.screen, parameters=settings.parameters)
    return _virtual_file(VirtualFile(kind="virtual", name="virtual"), ledger, seed)


def _biology(settings: MachineSettings, ledger: Path | None, seed: int) -> HardwareInterface:
    _refuse_files(settings, screen=settings.screen)
    return _biology_file(BiologyFile(kind="biology", name="biology", parameters=settings.parameters), ledger, seed)


def _replay(settings: MachineSettings, ledger: Path | None, seed: int) -> HardwareInterface:
    _refuse_files(settings, parameters=settings.parameters)
    return _replay_file(ReplayFile(kind="replay", name="replay", screen=settings.screen), ledger, seed)


def _cluster(settings: MachineSettings, ledger: Path | None, seed: int) -> HardwareInterface:
    _refuse_files(settings, screen=settings.screen, parameters=settings.parameters)
    if settings.address is None:
        raise ConfigError(
            "machine.address: a machine of kind 'cluster' needs the scheduler's address, as in tcp://127.0.0.1:8786."
        )
    if not settings.robots:
        raise ConfigError("machine.robots: name the robots that share the campaign, each once.")
    asked = ClusterFile(kind="cluster", name="cluster", address=settings.address, robots=settings.robots)
    return _cluster_file(asked, ledger, seed)


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

_SEEDLESS = frozenset({"opentrons"})
"""Kinds of which there is one machine whatever the seed of a campaign is, because they are real."""


def _virtual_file(asked: Any, ledger: Path | None, seed: int) -> HardwareInterface:
    from cellos_nb.hardware.virtual import VirtualMachine

    del seed  # a machine without biology has no noise
    return VirtualMachine(ledger, name=asked.name, **asked.limits.model_dump())


def _biology_file(asked: Any, ledger: Path | None, seed: int) -> HardwareInterface:
    from cellos_nb.hardware.biology import BiologicalVirtualMachine

    limits = asked.limits.model_dump()
    return BiologicalVirtualMachine(asked.parameters, ledger, seed=seed, name=asked.name, images=asked.images, **limits)


def _replay_file(asked: Any, ledger: Path | None, seed: int) -> HardwareInterface:
    from cellos_nb.hardware.replay import ReplayMachine

    return ReplayMachine(asked.screen, ledger, seed=seed, name=asked.name)


def _cluster_file(asked: Any, ledger: Path | None, seed: int) -> HardwareInterface:
    from cellos_nb.hardware.cluster.machine import open_cluster

    del ledger, seed  # the robots' hosts have them
    if len(set(asked.robots)) != len(asked.robots):
        raise ConfigError("machine.robots: name the robots that share the campaign, each once.")
    return open_cluster(asked.address, asked.robots)


def _bench_model() -> type[MachineFile]:
    from cellos_nb.hardware.bench.settings import BenchFile

    return BenchFile


def _bench_file(asked: Any, ledger: Path | None, seed: int) -> HardwareInterface:
    from cellos_nb.hardware.bench.machine import open_bench

    del seed  # a person has their own noise
    return open_bench(asked, ledger)


def _pylabrobot_model() -> type[MachineFile]:
    from cellos_nb.hardware.pylabrobot.settings import PyLabRobotFile

    return PyLabRobotFile


def _pylabrobot_file(asked: Any, ledger: Path | None, seed: int) -> HardwareInterface:
    from cellos_nb.hardware.pylabrobot.machine import open_line

    del seed  # its stand-ins have no noise
    return open_line(asked, ledger)


def _opentrons_model() -> type[MachineFile]:
    from cellos_nb.hardware.opentrons.settings import OpentronsFile

    return OpentronsFile


def _opentrons_file(asked: Any, ledger: Path | None, seed: int) -> HardwareInterface:
    from cellos_nb.hardware.opentrons.machine import open_robot

    del seed  # nothing about it is simulated
    return open_robot(asked.settings, ledger)


def _workcell_model() -> type[MachineFile]:
    from cellos_nb.hardware.workcell.settings import WorkcellFile

    return WorkcellFile


def _workcell_file(asked: Any, ledger: Path | None, seed: int) -> HardwareInterface:
    """A workcell with its machines, each opened once; a real one has the memory that it has everywhere."""
    from cellos_nb.hardware.workcell.machine import Workcell

    opened: dict[str, HardwareInterface] = {}
    try:
        for part in asked.parts.values():
            if part.machine not in opened:
                settings = settings_of(part.machine)
                known = ledger and ledger.with_name(f"{_memory_of(settings, seed, ledger.stem)}.ledger")
                opened[part.machine] = open_machine(settings, known, seed)
    except Exception:
        for machine in opened.values():
            machine.stop()
        raise
    return Workcell(asked, {name: opened[part.machine] for name, part in asked.parts.items()})


def _memory_of(settings: MachineSettings, seed: int, owner: str) -> str:
    """The name of a part's memory: its own for a real machine, one beside the workcell's for a simulated one."""
    path = file_of(settings, kinds())
    is_real = path is not None and read_file(path).is_real
    return identity_of(settings, seed) if is_real else f"{owner}-{Path(settings.kind).stem}"


@dataclass(frozen=True, slots=True)
class _FileKind:
    """A kind of machine file: its form, and how its machine is opened."""

    model: Callable[[], type[MachineFile]]
    open: Callable[[Any, Path | None, int], HardwareInterface]


_FILES: Mapping[str, _FileKind] = {
    "virtual": _FileKind(lambda: VirtualFile, _virtual_file),
    "biology": _FileKind(lambda: BiologyFile, _biology_file),
    "replay": _FileKind(lambda: ReplayFile, _replay_file),
    "cluster": _FileKind(lambda: ClusterFile, _cluster_file),
    "bench": _FileKind(_bench_model, _bench_file),
    "opentrons": _FileKind(_opentrons_model, _opentrons_file),
    "pylabrobot": _FileKind(_pylabrobot_model, _pylabrobot_file),
    "workcell": _FileKind(_workcell_model, _workcell_file),
}


def _models() -> dict[str, Callable[[], type[MachineFile]]]:
    brought = {kind: lambda: PlugInFile for kind in kinds()}
    return brought | {kind: entry.model for kind, entry in _FILES.items()}


def _open_file(found: MachineFile, ledger: Path | None, seed: int) -> HardwareInterface:
    if found.kind in _FILES:
        return _FILES[found.kind].open(found, ledger, seed)
    factory = _plugged_in(found.kind)
    if factory is None:
        raise AssertionError(f"{found.kind}: was a plug-in's kind when its file was read")
    return factory(MachineSettings(**found.model_dump(exclude={"name", "note"})), ledger, seed)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _plugged_in(kind: str) -> Factory | None:
    for entry in entry_points(group=ENTRY_POINTS, name=kind):
        try:
            factory: Factory = entry.load()
        except Exception as error:
            raise ConfigError(f"machine.kind: the plug-in {entry.value} cannot be loaded ({error}).") from error
        return factory
    return None

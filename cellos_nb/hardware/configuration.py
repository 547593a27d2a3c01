"""Machine files: `machines/NAME.yaml` says what one machine of a lab is, where it is and what stands on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator

from cellos_nb.domain.config_errors import describe_all
from cellos_nb.domain.settings import MachineSettings, Name, PositiveFloat, RobotName, Settings
from cellos_nb.domain.yaml_lines import YamlDocument, read_yaml
from cellos_nb.errors import ConfigError
from cellos_nb.hardware.imaging.settings import MicroscopeSettings

FOLDER_VARIABLE = "CELLOS_MACHINE_FILES"
DEFAULT_FOLDER = "machines"
SUFFIXES = (".yaml", ".yml")


class MachineFile(Settings):
    """What every machine file says; each kind adds keys of its own."""

    kind: Name
    """What it is: `virtual`, `biology`, `replay`, `cluster`, `bench`, `pylabrobot`, or a plug-in's kind."""
    name: RobotName = ""
    """As journal, approvals and records call it; the file's name when left out."""
    note: str = ""
    """For people: where it stands, whose it is."""

    @property
    def is_real(self) -> bool:
        """Whether it stands in a lab, so that all campaigns share this one machine."""
        return True

    def files_beside(self, folder: Path) -> Self:
        """The same with file names as they are meant: relative to the machine file's folder."""
        del folder
        return self


class LimitSettings(Settings):
    """What one transfer delivers."""

    min_volume_ul: PositiveFloat = 0.0025
    """The smallest volume, in µL."""
    max_volume_ul: PositiveFloat = 1000.0
    """The largest volume, in µL."""

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.max_volume_ul < self.min_volume_ul:
            raise ValueError(f"max_volume_ul is below min_volume_ul ({self.max_volume_ul:g} < {self.min_volume_ul:g})")
        return self


class VirtualFile(MachineFile):
    """A liquid handler, incubator and reader on numbers, without biology."""

    limits: LimitSettings = LimitSettings()

    @property
    def is_real(self) -> bool:
        """Nothing real is touched."""
        return False


class BiologyFile(VirtualFile):
    """The same with cells in its wells."""

    parameters: str | None = None
    """A YAML of cell lines and compounds; the shipped one when left out."""
    images: MicroscopeSettings | None = None
    """Has imaging assays rendered as TIFFs and read back from them; counts and intensities are drawn when left out."""

    def files_beside(self, folder: Path) -> Self:
        """With the full names of the parameter file and the folder of images."""
        changes: dict[str, object] = {}
        if self.parameters is not None:
            changes["parameters"] = str(folder / self.parameters)
        if self.images is not None:
            changes["images"] = self.images.model_copy(update={"folder": str(folder / self.images.folder)})
        return self.model_copy(update=changes)

    @model_serializer(mode="wrap")
    def _without_images(self, serialise: SerializerFunctionWrapHandler) -> dict[str, object]:
        """A machine without images is written as it was before there were any: its memory is found by that text."""
        written: dict[str, object] = serialise(self)
        return {key: value for key, value in written.items() if key != "images" or value is not None}


class ReplayFile(MachineFile):
    """A measured screen that is read again."""

    screen: str | None = None
    """A CSV of measured responses; the shipped sarcoma screen when left out."""

    @property
    def is_real(self) -> bool:
        """Nothing real is touched."""
        return False

    def files_beside(self, folder: Path) -> Self:
        """With the screen's full name."""
        return self if self.screen is None else self.model_copy(update={"screen": str(folder / self.screen)})


class ClusterFile(MachineFile):
    """Equal robots on hosts of their own."""

    address: Name
    """Of the Dask scheduler, as in `tcp://127.0.0.1:8786`."""
    robots: Annotated[tuple[RobotName, ...], Field(min_length=1)]
    """Each owned by a `cellos worker`."""


class PlugInFile(MachineFile):
    """A machine that a plug-in brings; the keys are those of a campaign's `machine:`."""

    screen: str | None = None
    """A file of measured responses, if the machine reads one."""
    parameters: str | None = None
    """A file of parameters, if the machine reads one."""
    address: Name | None = None
    """Where it is reached, if it is reached by an address."""
    robots: tuple[RobotName, ...] = ()
    """Its parts by name, if it has several."""

    @property
    def is_real(self) -> bool:
        """Only the plug-in knows; each campaign has its own, as without a file."""
        return False

    def files_beside(self, folder: Path) -> Self:
        """With full names of its files."""
        named = {key: getattr(self, key) for key in ("screen", "parameters")}
        return self.model_copy(update={key: str(folder / name) for key, name in named.items() if name is not None})


Models = Mapping[str, Callable[[], type[MachineFile]]]
"""The form of the machine files of each kind; made when asked for, because some need heavy packages."""


def machines_folder() -> Path:
    """Where machine files are looked for by name: `CELLOS_MACHINE_FILES`, or `machines` in the working folder."""
    return Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER)


def machine_files(folder: Path | None = None) -> tuple[Path, ...]:
    """The machine files of a folder, by name; none when there is no such folder."""
    where = folder or machines_folder()
    return tuple(sorted(path for path in where.glob("*") if path.suffix in SUFFIXES and path.is_file()))


def file_of(settings: MachineSettings, kinds: tuple[str, ...]) -> Path | None:
    """The machine file that settings speak of; None when they name one of the kinds.

    Raises:
        ConfigError: neither a kind nor a machine file has that name; says which there are.
    """
    if settings.file is not None:
        return Path(settings.file)
    if Path(settings.kind).suffix in SUFFIXES:
        return Path(settings.kind)
    if settings.kind in kinds:
        return None
    folder = machines_folder()
    for suffix in SUFFIXES:
        if (folder / f"{settings.kind}{suffix}").is_file():
            return folder / f"{settings.kind}{suffix}"
    named = [path.stem for path in machine_files()]
    own = f"; machines in {folder}: {', '.join(named)}" if named else f"; there is no machine file in {folder}"
    raise ConfigError(
        f"machine.kind: no machine '{settings.kind}' is installed; possible: {', '.join(kinds)}{own}. "
        f"`cellos hardware new KIND` prints a machine file to begin with."
    )


def read_machine_file(path: Path, models: Models) -> MachineFile:
    """A machine file, checked against the form of its kind; its own file names are relative to its folder.

    Raises:
        ConfigError: the file is missing or malformed, its kind is unknown, or a value in it is refused; the message has
            the line, the key, the value and what is possible.
    """
    document = read_yaml(path)
    kind = document.content.get("kind")
    if not isinstance(kind, str) or kind not in models:
        raise ConfigError(_no_kind(document, kind, models))
    model = models[kind]()
    content = {"name": path.stem, **{str(key): value for key, value in document.content.items()}}
    try:
        return model.model_validate(content).files_beside(path.parent.resolve())
    except ValidationError as error:
        raise ConfigError("\n".join(describe_all(error, model, document))) from None


def _no_kind(document: YamlDocument, kind: object, models: Models) -> str:
    line = document.lines.get(("kind",))
    where = f"{document.path}, line {line}" if line else f"{document.path}"
    asked = "is missing" if kind is None else f"{kind!r} is no kind of machine file"
    return f"{where}: kind: {asked}; possible: {', '.join(models)}."


def problems(paths: tuple[Path, ...], models: Models) -> Iterator[tuple[Path, MachineFile | None, str]]:
    """Each machine file with what it says, or with what is wrong in it; two of one name are wrong as well."""
    seen: dict[str, Path] = {}
    for path in paths:
        try:
            found = read_machine_file(path, models)
        except ConfigError as error:
            yield path, None, str(error)
            continue
        twin = seen.setdefault(found.name, path)
        if twin != path:
            yield path, None, f"{path}: name: '{found.name}' is the machine in {twin} as well; give each its own name."
        else:
            yield path, found, ""

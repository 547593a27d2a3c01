"""The manifest of a record: the SHA-256 of every file, and what has become of them since."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cellos_nb.errors import InputError
from cellos_nb.records.audit_file import AUDIT_LOG, verify_file
from cellos_nb.records.folder import MANIFEST, RunFacts, write_json


class ListedFile(BaseModel):
    """One file of a record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    """Relative to the record's folder, with forward slashes."""
    bytes: int
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        parts = PurePosixPath(path).parts
        if not parts or path.startswith("/") or ".." in parts or "\\" in path:
            raise ValueError(f"{path!r} leads out of the record")
        return path


class Manifest(BaseModel):
    """What a record holds, and what the campaign stood on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    campaign: str
    created_at: datetime
    seed: int
    machine: str
    data_source: str
    versions: dict[str, str]
    files: tuple[ListedFile, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One file that is not as the manifest says."""

    path: str
    problem: str
    """`changed`, `missing` or `extra`; or what is wrong with an entry of the audit log."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a record looks like beside its manifest."""

    manifest: Manifest
    manifest_sha256: str
    """Of the manifest file: whoever noted it when the record was written has the hash of all."""
    differences: tuple[Difference, ...]
    """Empty when every byte is as it was written."""


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_of(folder: Path) -> tuple[Path, ...]:
    """Every file of a record except its manifest, in the order of their names."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return tuple(path for path in found if path != folder / MANIFEST)


def write_manifest(folder: Path, run: RunFacts) -> str:
    """Hashes every file of a folder into its manifest, and returns the SHA-256 of the manifest."""
    listed = [
        {"path": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in files_of(folder)
    ]
    content: dict[str, Any] = {
        "campaign": run.campaign_id,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": run.seed,
        "machine": run.machine,
        "data_source": run.data_source,
        "versions": run.versions,
        "files": listed,
    }
    write_json(content, folder / MANIFEST)
    return sha256_of(folder / MANIFEST)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a record.

    Raises:
        InputError: the folder has none, or it cannot be read as one.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). Give the folder of a record, as `cellos record` wrote it."
        ) from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        raise InputError(
            f"{path}: is no manifest of a record ({where}: {problem['msg']}). Restore the record from a copy."
        ) from error


def _audit_problems(path: Path) -> list[str]:
    try:
        return [each.text for each in verify_file(path).breaks]
    except InputError as error:
        return [str(error)]


def verify_record(folder: str | Path) -> Verification:
    """Hashes every file of a record again and names those that changed, are missing or were added.

    Of the audit log it names the entries that are not what was written: their chain holds without the manifest.

    Raises:
        InputError: the folder is no record, or its manifest is damaged.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    listed = {entry.path: entry for entry in manifest.files}
    there = {path.relative_to(folder).as_posix(): path for path in files_of(folder)}
    differences = [Difference(name, "missing") for name in listed.keys() - there.keys()]
    differences += [Difference(name, "extra") for name in there.keys() - listed.keys()]
    differences += [
        Difference(name, "changed")
        for name in listed.keys() & there.keys()
        # A link is no file of the record, wherever it leads.
        if there[name].is_symlink() or sha256_of(there[name]) != listed[name].sha256
    ]
    if there.keys() & {AUDIT_LOG}:
        differences += [Difference(AUDIT_LOG, text) for text in _audit_problems(there[AUDIT_LOG])]
    in_order = tuple(sorted(differences, key=lambda difference: difference.path))
    return Verification(manifest, sha256_of(folder / MANIFEST), in_order)

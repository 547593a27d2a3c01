"""Artifacts: files that are named by the SHA-256 of what they hold, and checked against it whenever they are read."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cellos_nb.errors import ArtifactError, OutputError
from cellos_nb.store.store import Store

FOLDER = "artifacts"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file that was written once and never changes."""

    name: str
    """`protocol.txt`: for people; what counts is the hash."""
    sha256: str
    n_bytes: int

    @property
    def ref(self) -> str:
        """Where it lies, relative to the folder of the database."""
        return f"{FOLDER}/{self.sha256}/{self.name}"


class ArtifactStore:
    """A folder of artifacts, `artifacts/<sha256>/<name>`. Any number of processes may read and write it at once.

    A file gets its name in one move, after its bytes are on the disk: what has a name is whole, and a writer that was
    killed leaves at most a hidden file that nothing reads.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @classmethod
    def beside(cls, store: Store) -> ArtifactStore:
        """The artifacts of a database."""
        return cls(store.folder / FOLDER)

    def write(self, name: str, content: bytes) -> Artifact:
        """Keeps a file and returns it; what is there already is checked and left alone.

        Raises:
            ArtifactError: the same artifact was written before and has been altered since.
            OutputError: the disk is full or the folder cannot be written; nothing was kept.
        """
        artifact = Artifact(name, hashlib.sha256(content).hexdigest(), len(content))
        path = self.path_of(artifact.sha256, name)
        try:
            if path.exists():
                self.read(artifact.sha256, name)
                return artifact
            _make_folder(path.parent)
            _write_whole(path, content)
        except OSError as error:
            raise OutputError(
                f"{path}: cannot be written: {error.strerror or error}. Nothing was kept. "
                "Free disk space, or put the database into a folder that you may write to."
            ) from error
        return artifact

    def read(self, sha256: str, name: str) -> bytes:
        """The bytes of an artifact, which are those that were written.

        Raises:
            ArtifactError: there is no such artifact, it cannot be read, or a byte of it has changed.
        """
        path = self.path_of(sha256, name)
        try:
            content = path.read_bytes()
        except FileNotFoundError as error:
            raise ArtifactError(
                f"{path}: there is no such artifact. Restore it from a backup, or write the proof again with "
                "`cellos proof`."
            ) from error
        except OSError as error:
            raise ArtifactError(f"{path}: cannot be read: {error.strerror}. Check who may read it.") from error
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise ArtifactError(
                f"{path}: was altered after it was written (its SHA-256 is now {found[:12]}…). Do not rely on it. "
                "Find out who changed it, remove it, and write the proof again with `cellos proof`."
            )
        return content

    def path_of(self, sha256: str, name: str) -> Path:
        """Where an artifact lies, whether it exists or not.

        Raises:
            ArtifactError: that is no SHA-256, or no plain file name.
        """
        if not _SHA256.fullmatch(sha256):
            raise ArtifactError(f"{sha256!r} is no SHA-256; give its 64 hexadecimal digits in lower case.")
        if not _NAME.fullmatch(name):
            raise ArtifactError(f"{name!r} is no name of an artifact; use letters, digits, dots, - and _, no folders.")
        return self.folder / sha256 / name


def _make_folder(folder: Path) -> None:
    """Makes a folder and those above it, each on the disk before anything is put into it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)  # another process may have been quicker
    _sync_folder(folder.parent)


def _write_whole(path: Path, content: bytes) -> None:
    """Puts a file under its name once all its bytes are on the disk."""
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            partial.chmod(0o444)  # nobody should write it again; mkstemp lets its owner alone read
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Has the disk keep the names in a folder: without it, a power cut may take a file that was itself written."""
    if os.name == "nt":
        return  # where a folder cannot be opened, and names are kept with the file
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)

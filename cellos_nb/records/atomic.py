"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellos_nb.errors import OutputError


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """A path to write to that becomes `path` when the block ends, and vanishes when it fails.

    Raises:
        OutputError: the file cannot be written; says why and what to do.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with _explained(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield partial
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def new_folder(path: str | Path) -> Iterator[Path]:
    """A folder to fill that takes the place of `path` when the block ends, and vanishes when it fails.

    Raises:
        OutputError: the folder cannot be written; says why and what to do.
    """
    path = Path(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
        try:
            partial.chmod(0o755)
            yield partial
            old = partial.with_name(f"{partial.name}.old")
            if path.exists():
                path.rename(old)
            partial.rename(path)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written: {error.strerror or error}. Nothing was left behind. "
            "Free disk space or choose a folder that you may write to."
        ) from error

"""What a person chose in a panel, kept for the time after a kernel restart."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from cellos_nb.domain import codec

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Memory:
    """One file in Jupyter's folder of the user, named after the place in which a panel stands.

    A choice is a convenience: where it cannot be kept or read back, a warning is logged and the panel works on.
    """

    path: Path

    @classmethod
    def of(cls, *place: str) -> Memory:
        """The memory of a place: the cell, the database, the kind of panel, and what it was opened with.

        The notebook goes with it, as the Jupyter server names it: its copies have the same cells.
        """
        from jupyter_core.paths import jupyter_data_dir

        notebook = os.environ.get("JPY_SESSION_NAME", "")
        name = hashlib.sha256("\0".join((notebook, *place)).encode()).hexdigest()[:32]
        return cls(Path(jupyter_data_dir()) / "cellos_nb" / "choices" / f"{name}.json")

    def recall(self, kind: type[T]) -> T | None:
        """What was kept here last; None when nothing was, or when it was of another form."""
        try:
            return codec.from_json(kind, self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            log.warning("%s: the choice kept here cannot be read, so the panel begins anew (%s)", self.path, error)
            return None

    def keep(self, choice: object) -> None:
        """Keeps a choice in place of the one before."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            being_written = self.path.with_suffix(f".{os.getpid()}")
            being_written.write_text(codec.to_json(choice), encoding="utf-8")
            being_written.replace(self.path)
        except OSError as error:
            log.warning("%s: the choice cannot be kept for the next kernel (%s)", self.path, error)

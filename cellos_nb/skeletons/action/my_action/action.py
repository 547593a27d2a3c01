"""The action: what is checked before it is queued, and what is done."""

from __future__ import annotations

from typing import Any

from cellos_nb.errors import InputError, OutputError
from cellos_nb.execution.actions import Bench

KEYS = ("name", "text")


class MyAction:
    """Writes a text into a file beside the database, for a label printer say. Replace this by your own work.

    Payload: name, text. It may be performed again after a failure or a crash: the same text in the same file.
    """

    limit_s = 60.0

    def check(self, payload: dict[str, Any]) -> None:
        """Refuses what can never be performed, before it is queued.

        Raises:
            InputError: says what is possible.
        """
        for key in payload.keys() - set(KEYS):
            raise InputError(f"payload.{key}: no such key; possible: {', '.join(KEYS)}.")
        for key in KEYS:
            if not isinstance(payload.get(key), str) or not payload[key].strip():
                raise InputError(f"payload.{key}: {payload.get(key)!r} is no text; give one.")
        if not payload["name"].replace("-", "").isalnum():
            raise InputError(f"payload.name: {payload['name']!r} is no file name; use letters, digits and hyphens.")

    def perform(self, payload: dict[str, Any], bench: Bench) -> str:
        """Writes the file; in PROOF an artifact that holds what would be written.

        Raises:
            OutputError: the file cannot be written; it is tried again later.
        """
        name, text = f"{payload['name']}.txt", payload["text"]
        if not bench.is_real:
            artifact = bench.keep(name, text.encode(), f"PROOF: {name} would be written")
            return f"PROOF: {name}, {artifact.ref}"
        path = bench.store.folder / name
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror}). Free space or allow writing.") from error
        return f"wrote {path}"

"""An action: writes a list of what runs short."""

from __future__ import annotations

from typing import Any

from cellos_nb.errors import InputError, OutputError
from cellos_nb.execution.actions import Bench

FILE = "shopping.txt"


class ShoppingList:
    """Writes what has fallen below a limit into `shopping.txt` beside the database. Payload: items, below.

    `items` says how much of each thing there is, in any unit; performed again, it writes the same list.
    """

    limit_s = 30.0

    def check(self, payload: dict[str, Any]) -> None:
        """Refuses what is no list of amounts.

        Raises:
            InputError: says what is possible.
        """
        if unknown := payload.keys() - {"items", "below"}:
            raise InputError(f"payload.{min(unknown)}: no such key; possible: items, below.")
        items, below = payload.get("items"), payload.get("below")
        if not isinstance(items, dict) or not items:
            raise InputError(f"payload.items: {items!r} lists nothing; give names with amounts.")
        for key, amount in {**items, "below": below}.items():
            if isinstance(amount, bool) or not isinstance(amount, int | float) or not amount >= 0:
                raise InputError(f"payload: {key} is {amount!r}; give a number of 0 or above.")

    def perform(self, payload: dict[str, Any], bench: Bench) -> str:
        """Writes the list; in PROOF as an artifact.

        Raises:
            OutputError: the file cannot be written; it is tried again later.
        """
        short = [f"{name}: {left:g}" for name, left in payload["items"].items() if left < payload["below"]]
        text = "\n".join(short) + "\n" if short else "nothing runs short\n"
        if not bench.is_real:
            return f"PROOF: {bench.keep(FILE, text.encode(), 'PROOF: a list would be written').ref}"
        path = bench.store.folder / FILE
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror}). Free space or allow writing.") from error
        return f"{len(short)} things on {path}"

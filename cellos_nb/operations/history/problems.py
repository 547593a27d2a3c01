"""What is wrong with a table of results, line by line, in one message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cellos_nb.errors import InputError

SHOWN = 20
"""Problems that are named; of the others, how many there are."""


@dataclass(slots=True)
class Problems:
    """Everything that has to be corrected before a table can be imported."""

    where: str
    """The file, with its sheet."""
    found: list[tuple[int, str]] = field(default_factory=list)
    """Line and words."""

    def add(self, line: int, column: str, value: str | None, cure: str) -> None:
        """Notes one cell: its column, what stands there, and what is possible."""
        said = "is empty" if value is None else f"{value!r} is not possible"
        self.found.append((line, f"column {column!r}: {said}; {cure}."))

    def refuse(self) -> None:
        """Raises when there is anything to correct.

        Raises:
            InputError: names the first lines, and how many there are.
        """
        if not self.found:
            return
        in_order = sorted(self.found)
        n = len({line for line, _ in in_order})
        what = "1 line has" if n == 1 else f"{n} lines have"
        said = [f"{self.where}, line {line}: {why}" for line, why in in_order[:SHOWN]]
        more = [f"… and {len(in_order) - SHOWN} more."] if len(in_order) > SHOWN else []
        raise InputError("\n".join([f"{self.where}: nothing was imported; {what} to be corrected.", *said, *more]))


def refuse_all(sentences: Iterable[str]) -> None:
    """Raises when there is any sentence, with all of them.

    Raises:
        InputError: the sentences, one a line.
    """
    said = list(sentences)
    if said:
        raise InputError("\n".join(said))

"""What is wrong with a table of results, line by line, in one message."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cellos_nb.errors import InputError

SHOWN = 20
"""Problems that are named; of the others, how many there are."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One cell that cannot be."""

    line: int
    column: str
    value: str | None
    """None where the cell is empty."""
    cure: str
    """What is possible."""

    @property
    def words(self) -> str:
        """All but the line."""
        said = "is empty" if self.value is None else f"{self.value!r} is not possible"
        return f"column {self.column!r}: {said}; {self.cure}."


class LinesError(InputError):
    """Lines of a table have to be corrected."""

    def __init__(self, message: str, problems: tuple[Problem, ...]) -> None:
        super().__init__(message)
        self.problems = problems
        """All of them, in the order of their lines."""


class MappingError(InputError):
    """A mapping and its table contradict each other."""

    def __init__(self, by_key: tuple[tuple[str, str], ...]) -> None:
        super().__init__("\n".join(sentence for _, sentence in by_key))
        self.by_key = by_key
        """The mapping's key to look at, and a sentence."""


@dataclass(slots=True)
class Problems:
    """Everything that has to be corrected before a table can be imported."""

    where: str
    """The file, with its sheet."""
    found: list[Problem] = field(default_factory=list)

    def add(self, line: int, column: str, value: str | None, cure: str) -> None:
        """Notes one cell: its column, what stands there, and what is possible."""
        self.found.append(Problem(line, column, value, cure))

    def refuse(self) -> None:
        """Raises when there is anything to correct.

        Raises:
            LinesError: names the first lines, and how many there are.
        """
        if not self.found:
            return
        in_order = sorted(self.found, key=lambda each: (each.line, each.words))
        n = len({each.line for each in in_order})
        what = "1 line has" if n == 1 else f"{n} lines have"
        said = [f"{self.where}, line {each.line}: {each.words}" for each in in_order[:SHOWN]]
        more = [f"… and {len(in_order) - SHOWN} more."] if len(in_order) > SHOWN else []
        message = "\n".join([f"{self.where}: nothing was imported; {what} to be corrected.", *said, *more])
        raise LinesError(message, tuple(in_order))


def refuse_all(by_key: Iterable[tuple[str, str]]) -> None:
    """Raises when there is any sentence, with all of them.

    Args:
        by_key: the mapping's key to look at, and a sentence.

    Raises:
        MappingError: the sentences, one a line.
    """
    said = tuple(by_key)
    if said:
        raise MappingError(said)

"""What goes wrong on a given day, on purpose: for the question "what if"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from cellos_nb.errors import InputError


@dataclass(frozen=True, slots=True)
class Trouble:
    """Troubles that befall every run of one bank; days count from its first thaw, which is day 0."""

    incubator_fails: tuple[int, ...] = ()
    """Nights in which one incubator fails and its flasks are lost."""
    contamination_found: tuple[int, ...] = ()
    """Mornings on which somebody sees a contamination."""
    hidden_from: tuple[int, ...] = ()
    """Days on which mycoplasma comes in, which nobody sees: only the test after freezing finds it."""
    person_away: tuple[tuple[int, int], ...] = ()
    """First and last days on which nobody looks after the cells."""

    @classmethod
    def on_days(
        cls,
        incubator_fails: Sequence[int] = (),
        contamination_found: Sequence[int] = (),
        person_away: Sequence[int] = (),
    ) -> Self:
        """Troubles as a notebook's parameters have them.

        Args:
            incubator_fails: days.
            contamination_found: days.
            person_away: the first and the last day, or nothing.

        Raises:
            InputError: a day that is no whole number, or an absence that is not two days.
        """
        for name, days in (
            ("incubator_fails", incubator_fails),
            ("contamination_found", contamination_found),
            ("person_away", person_away),
        ):
            if not all(type(day) is int for day in days):
                raise InputError(f"{name}: {list(days)} are no whole days; give them as in [9, 12].")
        if len(person_away) not in {0, 2}:
            raise InputError(f"person_away: {list(person_away)} is no first and last day; give both, as in [10, 14].")
        away = ((person_away[0], person_away[1]),) if person_away else ()
        return cls(tuple(incubator_fails), tuple(contamination_found), (), away)

    def __post_init__(self) -> None:
        """Checks the days.

        Raises:
            InputError: a day before the first, or an absence that ends before it begins.
        """
        for first, last in self.person_away:
            if last < first:
                raise InputError(f"Days {first} to {last} end before they begin; give the first day first.")
        days = (*self.incubator_fails, *self.contamination_found, *self.hidden_from, *sum(self.person_away, ()))
        if any(day < 0 for day in days):
            raise InputError(f"Day {min(days)} is before the first thaw, which is day 0. Give 0 or more.")

    @property
    def days(self) -> tuple[int, ...]:
        """The first day of each trouble, in order of time."""
        begins = (first for first, _ in self.person_away)
        return tuple(sorted((*self.incubator_fails, *self.contamination_found, *self.hidden_from, *begins)))

    def is_away(self, day: int) -> bool:
        """Whether nobody comes on a day."""
        return any(first <= day <= last for first, last in self.person_away)

    def __str__(self) -> str:
        """In words, for tables."""
        parts = [f"an incubator fails in the night of day {day}" for day in self.incubator_fails]
        parts += [f"contamination is found on day {day}" for day in self.contamination_found]
        parts += [f"mycoplasma comes in on day {day}" for day in self.hidden_from]
        parts += [
            f"nobody comes on day {first}" if first == last else f"nobody comes from day {first} to day {last}"
            for first, last in self.person_away
        ]
        return "; ".join(parts) or "nothing goes wrong on purpose"


NO_TROUBLE = Trouble()
"""Only what chance brings."""

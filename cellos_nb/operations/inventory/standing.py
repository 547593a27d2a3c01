"""How each resource and each lot stands, in one word that a colour can be put to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection

from cellos_nb.domain.amounts import count_of
from cellos_nb.domain.stock import Lot, Resource
from cellos_nb.store import stock_shelf

SOON_DAYS = 14
"""What expires within so many days is pointed out."""


class Light(StrEnum):
    """What a person has to do about it: nothing, something soon, something now."""

    GOOD = "good"
    SOON = "soon"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class LotStanding:
    """One lot, and whether it is of use."""

    lot: Lot
    light: Light
    words: str


@dataclass(frozen=True, slots=True)
class ResourceStanding:
    """One resource with all its lots."""

    resource: Resource
    lots: tuple[LotStanding, ...]
    """Those of which something is on hand, what expires first first."""
    usable: int
    """What a new run can have, in the smallest units."""
    waiting: int
    """What runs that were submitted need and have no lot for any more."""
    light: Light
    words: str

    @property
    def on_hand(self) -> int:
        """All that is there, whether it may be used or not."""
        return sum(each.lot.balance.on_hand for each in self.lots)

    @property
    def reserved(self) -> int:
        """What runs will take."""
        return sum(each.lot.balance.reserved for each in self.lots)

    @property
    def uncertain(self) -> int:
        """Whether it was taken cannot be told."""
        return sum(each.lot.balance.uncertain for each in self.lots)

    @property
    def reorder_point(self) -> int | None:
        """In the smallest units; None where none is declared."""
        point = self.resource.reorder_point
        return None if point is None else count_of(point, self.resource.unit)

    def usable_at(self, moment: datetime) -> int:
        """What of it will not have expired at a moment, if nothing is taken until then."""
        return sum(
            each.lot.balance.free
            for each in self.lots
            if each.light is not Light.NOW and (each.lot.expires_at is None or each.lot.expires_at > moment)
        )


def standings(tx: Connection, at: datetime) -> tuple[ResourceStanding, ...]:
    """Every resource at a moment, by kind and name."""
    of: dict[str, list[Lot]] = defaultdict(list)
    for lot in stock_shelf.lots_of(tx, is_empty_shown=False):
        of[lot.resource].append(lot)
    waiting = stock_shelf.waiting_counts(tx)
    found = []
    seen: set[str] = set()
    for resource in stock_shelf.all_resources(tx):
        judged = tuple(_lot(tx, lot, at) for lot in of[resource.name])
        # Of two resources that serve the same, what waits is told with the first.
        counted = waiting.get(resource.serves, 0) if resource.serves not in seen else 0
        seen.add(resource.serves)
        found.append(_resource(resource, judged, counted))
    return tuple(found)


def _lot(tx: Connection, lot: Lot, at: datetime) -> LotStanding:
    to_come = 0 if lot.max_freeze_thaws is None else stock_shelf.occasions_to_come(tx, lot.lot_id, without="")
    why = lot.why_unusable(at, n_thaws_to_come=to_come)
    if why is not None:
        return LotStanding(lot, Light.NOW, why)
    if lot.balance.uncertain:
        return LotStanding(lot, Light.SOON, "in doubt")
    if lot.expires_at is not None and lot.expires_at <= at + timedelta(days=SOON_DAYS):
        return LotStanding(lot, Light.SOON, _expires(lot.expires_at - at))
    if lot.balance.free == 0:
        return LotStanding(lot, Light.GOOD, "all reserved")
    return LotStanding(lot, Light.GOOD, "good")


def _expires(left: timedelta) -> str:
    return "expires today" if left < timedelta(days=1) else f"expires in {left.days} days"


def _resource(resource: Resource, lots: Sequence[LotStanding], waiting: int) -> ResourceStanding:
    usable = sum(each.lot.balance.free for each in lots if each.light is not Light.NOW)
    light, words = Light.GOOD, "good"
    point = 0 if resource.reorder_point is None else count_of(resource.reorder_point, resource.unit)
    soon = [each.words for each in lots if each.light is Light.SOON]
    if waiting:
        light, words = Light.NOW, "runs wait for it"
    elif usable == 0:
        light, words = Light.NOW, _why_none(lots)
    elif usable <= point:
        light, words = Light.SOON, "low"
    elif soon:
        light, words = Light.SOON, soon[0]
    return ResourceStanding(resource, tuple(lots), usable, waiting, light, words)


def _why_none(lots: Sequence[LotStanding]) -> str:
    if not lots:
        return "none left"
    if any(each.light is not Light.NOW for each in lots):
        return "all reserved"
    return f"none usable: lot {lots[0].lot.lot_number} {lots[0].words}"

"""Who executes the work of a database, what holds it up, and how the last tick went: for `status` and `queue`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from cellos_nb.execution.control import Flag, flags_of
from cellos_nb.execution.lease import Holder, holder_of
from cellos_nb.execution.queue import JobQueue
from cellos_nb.execution.ticks import Tick, ticks
from cellos_nb.store.store import Store


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What a person wants to know before they ask why nothing moves."""

    holder: Holder | None
    is_real: bool
    """Whether the daemon moves real machines; otherwise it writes proofs."""
    flags: tuple[Flag, ...]
    last_tick: Tick | None
    n_for_people: int = 0
    """Plates that are in doubt or wait for an approval, and work that was given up."""

    def rows(self) -> tuple[tuple[str, str], ...]:
        """One fact a row, for people."""
        holder = self.holder
        who = "nobody; start `cellos daemon`" if holder is None else _by(holder)
        rows = [("executed by", who), ("mode", "REAL" if self.is_real else "PROOF: real machines do not move")]
        rows += [
            (flag.name, f"by {flag.set_by}, {flag.set_at:%Y-%m-%d %H:%M:%S} UTC{_because(flag)}") for flag in self.flags
        ]
        if self.n_for_people:
            rows.append(("waits for people", f"{self.n_for_people}; see `cellos queue`"))
        tick = self.last_tick
        if tick is not None:
            counts = f"{tick.attempted} attempted, {tick.failed} failed"
            rows.append(("last tick", f"{tick.status}, {tick.started_at:%Y-%m-%d %H:%M:%S} UTC, {counts}"))
        return tuple(rows)

    def as_dict(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "holder": asdict(self.holder) if self.holder else None,
            "mode": "REAL" if self.is_real else "PROOF",
            "flags": [asdict(flag) for flag in self.flags],
            "waits_for_people": self.n_for_people,
            "last_tick": asdict(self.last_tick) if self.last_tick else None,
        }


def who_works(store: Store) -> Dispatch:
    """The state of a database's execution now."""
    last = ticks(store, last=1)
    flags = flags_of(store)
    counts = JobQueue(store).stats()
    n_for_people = counts["in_doubt"] + counts["paused"] + counts["dead_letter"]
    set_flags = tuple(flags.read().values())
    return Dispatch(holder_of(store), flags.is_real, set_flags, last[0] if last else None, n_for_people)


def _by(holder: Holder) -> str:
    return f"process {holder.pid} on {holder.host}, since {holder.since:%Y-%m-%d %H:%M:%S} UTC"


def _because(flag: Flag) -> str:
    return f": {flag.reason}" if flag.reason else ""

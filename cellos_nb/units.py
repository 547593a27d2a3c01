"""Units at the border: conversions, checks and the way quantities are written for people."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

NM_PER_UM = 1e3
UM_PER_MM = 1e3
UM_PER_M = 1e6
SECONDS_PER_HOUR = 3600.0


def is_positive(value: float) -> bool:
    """Whether a quantity is a finite number above zero."""
    return math.isfinite(value) and value > 0


_CLOCK: ContextVar[Callable[[], datetime] | None] = ContextVar("cellos_clock", default=None)


def now_utc() -> datetime:
    """The present moment as a timezone-aware UTC time: by the clock of `simulated_time` inside such a block."""
    clock = _CLOCK.get()
    return datetime.now(UTC) if clock is None else clock()


@contextmanager
def simulated_time(clock: Callable[[], datetime]) -> Iterator[None]:
    """Has everything in the block, in this thread alone, take its time from a clock of the caller's.

    All times in its database are then of that clock, those of the lease too: give a simulation a database of its own.
    """
    before = _CLOCK.set(clock)
    try:
        yield
    finally:
        _CLOCK.reset(before)


def format_dose(dose_um: float) -> str:
    """A dose in µM as a person writes it, in µM throughout so that two doses can be compared at sight.

    >>> format_dose(0.00017), format_dose(0.3704), format_dose(10.0)
    ('0.00017 µM', '0.3704 µM', '10 µM')
    """
    return f"{dose_um:.4g} µM"


def format_volume(volume_ul: float) -> str:
    """A volume in µL, or in nL below 0.1 µL and in mL from 10 mL on.

    >>> format_volume(50), format_volume(0.0025), format_volume(17_780)
    ('50 µL', '2.5 nL', '17.78 mL')
    """
    if abs(volume_ul) >= 1e4:
        return f"{volume_ul / 1e3:.4g} mL"
    if 0 < abs(volume_ul) < 0.1:
        return f"{volume_ul * 1e3:.4g} nL"
    return f"{volume_ul:.4g} µL"


def format_duration(duration_s: float) -> str:
    """A duration as hours and minutes, or as seconds below two minutes.

    >>> format_duration(75.5), format_duration(262800)
    ('75.5 s', '73 h 0 min')
    """
    if duration_s < 120:
        return f"{duration_s:.3g} s"
    minutes = round(duration_s / 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def counted(n: int, one: str, many: str = "") -> str:
    """A number of things with the right word, which takes an s unless another plural is given.

    >>> counted(1, "experiment"), counted(12_000, "experiment"), counted(1, "dose is", "doses are")
    ('1 experiment', '12,000 experiments', '1 dose is')
    """
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"

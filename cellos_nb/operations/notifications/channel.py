"""Channel: where messages go. Only the environment knows the addresses, because they hold passwords."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from cellos_nb.domain.codec import UNKNOWN_KEYS_ARE_REFUSED
from cellos_nb.errors import ChannelNotConfiguredError, ChannelUrlError
from cellos_nb.operations.notifications.masking import without_addresses

EVERYONE = "CELLOS_NOTIFY_URLS"
"""The variable of the channel without a name."""
NAMED = "CELLOS_CHANNEL_"
"""What the variables of named channels begin with."""

# A comma also stands inside addresses, so it parts them only where another one begins.
_GAP = re.compile(r"\s+|,\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)|,$")
_SERVICE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://.")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9 _-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Channel:
    """Where messages go: the name of an environment variable, never what it holds.

    The variable holds one or more apprise URLs (https://appriseit.com/services/), parted by blanks or commas. It is
    read when a message is sent, so that this value can be stored, shown and logged.

    >>> Channel("lab e-mail").variable, Channel().variable
    ('CELLOS_CHANNEL_LAB_E_MAIL', 'CELLOS_NOTIFY_URLS')

    Raises:
        ChannelUrlError: the name cannot be that of a channel.
    """

    __pydantic_config__ = UNKNOWN_KEYS_ARE_REFUSED

    name: str = ""
    """Empty: the channel for everything that has none of its own."""
    only: tuple[int, ...] = ()
    """Positions of the addresses to use, counted from 1; all when empty. For a second try of those that failed."""

    def __post_init__(self) -> None:
        if self.name and not _NAME.fullmatch(self.name):
            raise ChannelUrlError(
                f"{without_addresses(self.name)!r} is no name of a channel; use letters, digits, blanks, - and _. "
                f"An address does not belong here: it stands in the environment, in {NAMED}<NAME>."
            )

    @property
    def variable(self) -> str:
        """The environment variable that holds the addresses."""
        return NAMED + re.sub(r"[^A-Z0-9]", "_", self.name.upper()) if self.name else EVERYONE

    @property
    def is_configured(self) -> bool:
        """Whether the environment names an address for it."""
        return bool(_addresses(self.variable))

    @property
    def positions(self) -> tuple[int, ...]:
        """The numbers of its addresses, or of those that are to be used."""
        return self.only or tuple(range(1, len(_addresses(self.variable)) + 1))

    @property
    def services(self) -> tuple[str, ...]:
        """The kind of each address, e.g. `mailtos`, `slack`; empty when there is none.

        Raises:
            ChannelUrlError: something in the variable is no URL.
        """
        return tuple(service_of(address, self.variable, n) for n, address in enumerate(_addresses(self.variable), 1))

    def addresses(self) -> dict[int, str]:
        """The addresses with their passwords, by position: for the one place that opens them.

        Raises:
            ChannelNotConfiguredError: the variable is not set; names it and the channels there are.
            ChannelUrlError: something in the variable is no URL, or a position is asked for that there is not.
        """
        found = dict(enumerate(_addresses(self.variable), 1))
        if not found:
            raise ChannelNotConfiguredError(_not_configured(self))
        for n, address in found.items():
            service_of(address, self.variable, n)
        missing = sorted(set(self.only) - set(found))
        if missing:
            raise ChannelUrlError(f"{self.variable} holds {len(found)} addresses; there is no number {missing[0]}.")
        return {n: address for n, address in found.items() if not self.only or n in self.only}


def channels() -> tuple[str, ...]:
    """The variables of all channels that the environment configures, in order."""
    names = sorted(name for name in os.environ if name == EVERYONE or name.startswith(NAMED))
    return tuple(name for name in names if _addresses(name))


def service_of(address: str, variable: str, position: int) -> str:
    """The kind of an address, `mailtos` of `mailtos://…`.

    Raises:
        ChannelUrlError: it is no URL; does not show it.
    """
    found = _SERVICE.match(address)
    if found is None:
        raise ChannelUrlError(
            f"{variable}, address {position}: is no apprise URL, which reads like mailtos://user:password@host or "
            "slack://token. Its value is not shown here. Correct the variable."
        )
    return found[1].lower()


def _addresses(variable: str) -> list[str]:
    return [part for part in _GAP.split(os.environ.get(variable, "").strip()) if part]


def _not_configured(channel: Channel) -> str:
    what = f"The channel {channel.name!r}" if channel.name else "The channel for messages"
    others = ", ".join(name for name in channels() if name != channel.variable)
    return (
        f"{what} has no address. Set the environment variable {channel.variable} to an apprise URL, such as "
        "mailtos://user:password@host?to=me@lab.org or slack://token, or to several parted by blanks. "
        f"Configured are: {others or 'none'}."
    )

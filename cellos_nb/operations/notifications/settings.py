"""What people want to be told, where and how often: `messages.yaml` of a lab."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, ValidationError, field_validator

from cellos_nb.domain.config_errors import describe_all
from cellos_nb.domain.occasions import Occasion
from cellos_nb.domain.setting import Settings
from cellos_nb.domain.yaml_lines import read_yaml
from cellos_nb.errors import ChannelUrlError, ConfigError
from cellos_nb.operations.notifications.channel import Channel
from cellos_nb.operations.notifications.masking import without_addresses

FILE_VARIABLE = "CELLOS_MESSAGES"
DEFAULT_FILE = "messages.yaml"


def _none_is_off(value: object) -> object:
    """YAML reads `off` as False."""
    return "off" if value is False else value


class MessageSettings(Settings):
    """Who hears of what. Everything is told on the channel without a name unless the file says otherwise."""

    occasions: dict[Occasion, Annotated[str, BeforeValidator(_none_is_off)]] = Field(default_factory=dict)
    """The channel of each occasion, by name; `off` for what nobody wants to hear. Others go to `channel`."""
    channel: str = ""
    """Where occasions go that are not named above; empty: the addresses in `CELLOS_NOTIFY_URLS`."""
    window_s: float = Field(default=300.0, ge=0, allow_inf_nan=False)
    """After one was told, others of the same occasion are gathered for so many seconds and told as one."""
    most_per_hour: int = Field(default=20, ge=1)
    """Messages that a channel gets in an hour; what is beyond goes out as one when the hour allows."""

    @field_validator("occasions")
    @classmethod
    def _names_channels(cls, occasions: dict[Occasion, str]) -> dict[Occasion, str]:
        for name in occasions.values():
            _channel(name)
        return occasions

    @field_validator("channel")
    @classmethod
    def _names_a_channel(cls, channel: str) -> str:
        _channel(channel)
        return channel

    @classmethod
    def of_lab(cls, folder: Path) -> Self:
        """Those of a lab: of the file that `CELLOS_MESSAGES` names, or `messages.yaml` beside the database.

        The defaults where there is no such file.

        Raises:
            ConfigError: the file cannot be read, or a value in it is refused; the message has its line.
        """
        named = os.environ.get(FILE_VARIABLE)
        path = Path(named) if named else folder / DEFAULT_FILE
        if not named and not path.exists():
            return cls()
        document = read_yaml(path)
        try:
            return cls.model_validate({str(key): value for key, value in document.content.items()})
        except ValidationError as error:
            # Somebody may have written an address where a name belongs.
            raise ConfigError(without_addresses("\n".join(describe_all(error, cls, document)))) from None

    def channel_of(self, occasion: str) -> Channel | None:
        """Where an occasion is told; None when nobody wants to hear of it."""
        name = self.occasions.get(Occasion(occasion), self.channel) if occasion in set(Occasion) else self.channel
        return _channel(name)

    @property
    def is_any_configured(self) -> bool:
        """Whether the environment has an address for any channel that is used."""
        used = {self.channel, *self.occasions.values()} - {"off"}
        return any(Channel(name).is_configured for name in used)


def _channel(name: str) -> Channel | None:
    if name == "off":
        return None
    try:
        return Channel(name)
    except ChannelUrlError as error:
        raise ValueError(str(error)) from None

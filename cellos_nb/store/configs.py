"""Configurations as they are stored."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from cellos_nb.domain import codec
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.errors import ConfigError, StoreCorruptError


def config_of(row: Any) -> CampaignConfig:
    """The configuration in a row with `campaign_id` and `config`.

    Raises:
        StoreCorruptError: it cannot be read.
    """
    try:
        return _config(row.config)
    except (ConfigError, ValidationError) as error:
        raise StoreCorruptError(f"{row.campaign_id}: its stored configuration is damaged ({error}).") from error


@lru_cache(maxsize=64)
def _config(text: str) -> CampaignConfig:
    """Parsed once for each text: it is asked for often, and may name 500 compounds."""
    return codec.from_json(CampaignConfig, text)

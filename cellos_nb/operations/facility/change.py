"""A facility changed by a few words: `liquid handler=2, people.closes=20`."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import ValidationError

from cellos_nb.domain.config_errors import describe_all
from cellos_nb.errors import InputError
from cellos_nb.operations.facility.config import FacilityConfig, FacilityResource

_SETTINGS = tuple(name for name in FacilityResource.model_fields if name != "name")


def changed(config: FacilityConfig, change: str) -> FacilityConfig:
    """A facility with other resources.

    Args:
        config: as it is.
        change: `NAME=CAPACITY` or `NAME.SETTING=VALUE`, several with commas between; settings are those of a resource.

    Raises:
        InputError: it is not of that form, or there is no such resource, setting or value.
    """
    content = config.model_dump()
    by_name = {one["name"]: one for one in content["resources"]}
    for part in change.split(","):
        target, mark, value = (each.strip() for each in part.partition("="))
        if not mark or not target or not value:
            raise InputError(f"{part.strip() or change!r}: does not say what changes; write NAME=2 or NAME.closes=20.")
        name, setting = _split(target, by_name)
        by_name[name][setting] = _value(part, value)
    try:
        return type(config).model_validate(content)
    except ValidationError as error:
        raise InputError("\n".join(describe_all(error, type(config), None))) from None


def _split(target: str, by_name: dict[str, Any]) -> tuple[str, str]:
    if target in by_name:
        return target, "capacity"
    name, _, setting = target.rpartition(".")
    if name in by_name and setting in _SETTINGS:
        return name, setting
    if name in by_name:
        raise InputError(f"{target}: {name} has no {setting}; possible: {', '.join(_SETTINGS)}.")
    raise InputError(f"{target}: is none of the resources; possible: {', '.join(by_name)}.")


def _value(part: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise InputError(f"{part.strip()}: the value cannot be read.") from None

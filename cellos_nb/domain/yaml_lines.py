"""YAML read together with the line on which each key stands, so that an error can point at it, and written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cellos_nb.errors import ConfigError

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """The content of one file and where each of its parts stands."""

    path: Path
    content: dict[str, Any]
    lines: dict[KeyPath, int] = field(default_factory=dict)
    """Line, counted from 1, of each key path."""


def read_yaml(path: str | Path) -> YamlDocument:
    """Reads one mapping from a YAML file.

    Raises:
        ConfigError: the file is missing, unreadable, malformed, has a key twice, or is not a mapping.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file. Check the path, or write one from the README.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({error}).") from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{path}{where}: not valid YAML: {error.problem or error}.") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        # TypeError: a list or mapping as a key; ValueError: an impossible date such as 2026-13-45.
        raise ConfigError(f"{path}: not valid YAML: {error}.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected 'key: value' lines at the top level, found {type(content).__name__}.")
    lines: dict[KeyPath, int] = {}
    _collect(node, (), lines, path)
    return YamlDocument(path, content, lines)


def yaml_text(value: Any, **style: Any) -> str:
    """A plain value as YAML that is read back as an equal value, keys in their order; `style` as PyYAML takes it."""
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, **style)
    # Unescaped, the old "next line" would be read back as an end of line.
    if "\x85" in text:
        text = yaml.safe_dump(value, sort_keys=False, **style)
    return text


def _collect(node: yaml.Node | None, at: KeyPath, lines: dict[KeyPath, int], path: Path) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*at, str(key.value))
            if here in lines:
                raise ConfigError(
                    f"{path}, line {key.start_mark.line + 1}: the key '{key.value}' stands twice "
                    f"(first on line {lines[here]}). Keep one."
                )
            lines[here] = key.start_mark.line + 1
            _collect(value, here, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            here = (*at, index)
            lines[here] = value.start_mark.line + 1
            _collect(value, here, lines, path)

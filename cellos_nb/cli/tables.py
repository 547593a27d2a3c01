"""How the command line prints: aligned columns for people, JSON for programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer


def print_facts(rows: Sequence[tuple[str, str]]) -> None:
    """Prints one fact a line: label, value."""
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        typer.echo(f"  {label:<{width}}  {value}")


def print_table(rows: Sequence[dict[str, Any]], *, as_json: bool, empty: str) -> None:
    """Prints rows with the same keys as a table, or as a JSON list; `empty` stands in for a table without rows."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        typer.echo(empty)
        return
    texts = [{key: _cell(value) for key, value in row.items()} for row in rows]
    widths = {key: max(len(key), *(len(row[key]) for row in texts)) for key in texts[0]}
    typer.echo("  ".join(key.ljust(width) for key, width in widths.items()).rstrip())
    for row in texts:
        typer.echo("  ".join(row[key].ljust(width) for key, width in widths.items()).rstrip())


def print_json(value: Any) -> None:
    """Prints one JSON document."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def write_csv_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Writes rows with the same keys as a CSV file with a header.

    Raises:
        OutputError: the file cannot be written.
    """
    from cellos_nb.errors import OutputError

    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]) if rows else [])
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}).") from error


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)

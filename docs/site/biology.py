"""The numbers of the simulated biology with where they come from, and every source that the code cites."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from commands import cell

ROOT = Path(__file__).parents[2]
PARAMETERS = "biology.yaml"


def parameters() -> str:
    """Every shipped parameter with its value and source, as tables."""
    shipped = (resources.files("cellos_nb.hardware") / "parameters" / PARAMETERS).read_text(encoding="utf-8")
    content = yaml.safe_load(shipped)
    said = ["| source | what it means |", "|---|---|"]
    said += [f"| `{name}` | {cell(text)} |" for name, text in content["sources"].items()]
    for section in (key for key, value in content.items() if key != "sources" and isinstance(value, dict)):
        said += ["", f"### {section}", "", "| parameter | value | source |", "|---|---|---|"]
        said += [
            f"| `{name}` | {_number(each['value'])} | `{each['source']}` |" for name, each in content[section].items()
        ]
    for section in ("cell_lines", "compounds"):
        said += ["", f"### {section}", "", *_many(content[section])]
    return "\n".join(said)


def _many(rows: list[dict[str, Any]]) -> list[str]:
    quantities = list(dict.fromkeys(key for row in rows for key, value in row.items() if _is_quantity(value)))
    head = ["name", *quantities, *(["mechanism"] if "mechanism" in rows[0] else [])]
    said = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [row["name"]]
        cells += [f"{_number(row[key]['value'])} (`{row[key]['source']}`)" if key in row else "" for key in quantities]
        said.append("| " + " | ".join([*cells, *([cell(row["mechanism"])] if "mechanism" in row else [])]) + " |")
    return said


def _is_quantity(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"value", "source"}


def _number(value: Any) -> str:
    return f"{float(value):,.6g}"


def sources() -> str:
    """Every source that a docstring names, with the module."""
    rows = [f"| `{module}` | {cell(_linked(text))} |" for module, text in _cited()]
    return "\n".join(["| where | source |", "|---|---|", *rows])


def _cited() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "cellos_nb").rglob("*.py")):
        module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for found in re.findall(r"\bSource: (.*?)(?:\n\s*\n|\n\s*[A-Z][a-z]+:\n|\Z)", node.value, re.DOTALL):
                    yield module, found


def _linked(text: str) -> str:
    text = re.sub(r"\bdoi:(10\.\S+?)(?=[.,;)]*(?:\s|$))", r"[doi:\1](https://doi.org/\1)", text)
    return re.sub(r"\barXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)

"""The page of benchmarks says how each figure is made again, and is made again from what is printed."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import page as benchmark_page  # noqa: E402

TEXT = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
PARTS = [part for part in benchmark_page.HEADING.split(TEXT) if part.startswith("#")]


@pytest.mark.parametrize("part", [pytest.param(part, id=part.splitlines()[0].strip("# ")) for part in PARTS])
def test_every_section_names_a_script_that_is_there(part):
    scripts = re.findall(r"benchmarks/[\w/]+\.py", part)
    assert scripts, "say by which command the figures were printed"
    assert [name for name in scripts if not (ROOT / name).exists()] == []


def test_a_part_that_a_script_writes_holds_no_other_section():
    for name in re.findall(r"<!-- (\w+): begin -->", TEXT):
        inside = TEXT.partition(f"<!-- {name}: begin -->")[2].partition(f"<!-- {name}: end -->")[0]
        assert len(re.findall(r"^## ", inside, re.MULTILINE)) <= 1, f"{name}: --write would delete the others"


def test_most_sections_can_be_printed_again():
    names = [section.name for section in benchmark_page.sections(TEXT)]
    assert len(names) == len(set(names)) >= 5
    assert {"week", "banks", "quality"} <= set(names)


def test_what_is_printed_takes_the_place_of_the_block_and_the_day_alone():
    printed = "Printed by `uv run python benchmarks/run.py -x` on 2020-01-01, here."
    page = f"# A\n\nsome `code`\n\n## B\n\n{printed}\n\n```\nold \\1\n```\n\nRead this.\n\n## C\n\nuntouched\n"
    (section,) = benchmark_page.sections(page)
    said = page.replace(section.text, section.with_printed("new \\1 figures\n\n", dt.date(2026, 3, 4)))
    assert said == page.replace("2020-01-01", "2026-03-04").replace("old \\1", "new \\1 figures")


def test_the_command_of_a_section_is_what_runs(tmp_path, monkeypatch):
    script = tmp_path / "benchmarks" / "small.py"
    script.parent.mkdir()
    script.write_text("import sys\nprint('ran with', *sys.argv[1:])\nsys.exit(len(sys.argv) - 2)")
    monkeypatch.setattr(benchmark_page, "ROOT", tmp_path)
    assert benchmark_page.printed_by("uv run --group x python benchmarks/small.py --once") == "ran with --once\n"
    with pytest.raises(subprocess.CalledProcessError):
        benchmark_page.printed_by("uv run python benchmarks/small.py --once --twice")

"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from cellos_nb import CampaignConfig, Lab
from cellos_nb.checks import check_config
from cellos_nb.cli.app import app

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", [pytest.param(code, id=f"block {k}") for k, code in enumerate(blocks("python"), 1)])
def test_every_python_block_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    with Lab.open(tmp_path / "lab.db", must_exist=True) as lab:
        assert lab.store.path.stat().st_size > 0


def test_the_campaign_file_is_one_that_can_be_run(tmp_path):
    (block,) = blocks("yaml")
    (tmp_path / "campaign.yaml").write_text(block, encoding="utf-8")
    assert check_config(CampaignConfig.from_yaml(tmp_path / "campaign.yaml")).plates_per_iteration == 1


def test_the_first_own_campaign_goes_as_it_is_shown(tmp_path):
    (campaign,) = blocks("yaml")
    (tmp_path / "campaign.yaml").write_text(campaign, encoding="utf-8")
    (shown,) = (block for block in blocks("sh") if "cellos plan" in block)
    lines = [line.partition("#")[0].split() for line in shown.splitlines() if not line.startswith("cellos lab")]
    assert [line[1] for line in lines] == ["plan", "run", "record"]
    for line in lines:
        words = [sys.executable, "-c", "from cellos_nb.cli import main; main()", *line[1:]]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500)
        assert done.returncode == 0, f"{line}: {done.stderr}"
    (page,) = re.findall(r"`(records/[\w./-]+\.html)` is what you keep", README)
    assert (tmp_path / page).stat().st_size > 0


def test_every_command_stands_in_the_table_and_every_row_is_a_command():
    commands = set(typer.main.get_command(app).commands)
    named = set(re.findall(r"`cellos ([a-z][a-z-]*)", README))
    assert named == commands


def test_every_file_that_is_named_is_there():
    root = Path(__file__).parents[2]
    for name in re.findall(r"(?:`|\()((?:docs|notebooks|benchmarks|cellos_nb)/[\w./-]+|[A-Z]+\.md)", README):
        assert (root / name).exists(), name

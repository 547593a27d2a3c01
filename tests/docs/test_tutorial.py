"""Whoever follows the tutorial step by step sees what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial" / "first-campaign.md").read_text(encoding="utf-8")


def kind_of(text: str) -> str:
    """The same without what the last digit of another processor may change: numbers, and which drug was found."""
    drugs = "staurosporine|doxorubicin|paclitaxel|bortezomib"
    return re.sub(r"-?\d+(\.\d+)?", "#", re.sub(drugs, "DRUG", text))


def test_the_commands_of_the_tutorial_work_one_after_the_other(tmp_path):
    (campaign,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "campaign.yaml").write_text(campaign, encoding="utf-8")
    said = []
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    assert len(lines) >= 8
    for line in lines:
        words = [sys.executable, "-c", "from cellos_nb.cli import main; main()", *line.split()[1:]]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        said.append(done.stdout)
    (shown,) = re.findall(r"```\n(  best: .*?)```", PAGE, re.DOTALL)
    for fact in shown.splitlines():
        assert any(kind_of(fact) in kind_of(text) for text in said), fact
    assert (tmp_path / "records" / "which-kills-a549" / "record.html").exists()

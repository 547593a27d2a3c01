"""What the how-to shows works as it stands there."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from robots import WORKFLOW_SHA256, compiled, dose_step

from cellos_nb.hardware.opentrons.proof import prove_steps
from cellos_nb.hardware.opentrons.settings import load_robot

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "opentrons.md").read_text(encoding="utf-8")


def test_the_robot_of_the_page_can_be_proved_for(worker, tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "robot.yaml").write_text(block, encoding="utf-8")
    robot = load_robot(tmp_path / "robot.yaml")
    proof = prove_steps([dose_step([("A1", "B1", 5.0)])], WORKFLOW_SHA256, robot, worker)
    written = {file.name.removeprefix("2-dose.") for file in proof.files}
    named = {name.removeprefix("3-dose.") for name in re.findall(r"^\| `([^`]+)`", PAGE, re.MULTILINE)}
    assert written == named
    assert b"greiner_96_wellplate_340ul_chimney" in proof.files[0].content


def test_the_python_of_the_page_proves_a_plate(opentrons, tmp_path, monkeypatch):
    (yaml,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (python,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    whole = compiled(load_text(tmp_path, yaml), n=1)
    steps = tuple(step for step in whole.steps if step.kind.moves_liquid)
    Path("workflow.json").write_text(replace(whole, steps=steps).canonical_json())
    names = {}
    exec(python, names)
    assert names["ended"].status == "paused"
    assert "nobody approved this workflow" in names["ended"].error
    assert Path("robots/opentrons-ot2-left.log").exists()


def load_text(folder, yaml):
    (folder / "ot2-left.yaml").write_text(yaml, encoding="utf-8")
    return load_robot(folder / "ot2-left.yaml")

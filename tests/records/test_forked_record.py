"""The record of a fork says whose results it began with, and what was rolled back."""

from __future__ import annotations

from cellos_nb import CampaignConfig, Lab
from cellos_nb.records.folder import read_record
from cellos_nb.records.record import write_record

CONFIG = CampaignConfig(
    name="tiny",
    cell_lines=["SK-LMS-1"],
    compounds=["Trametinib", "Dinaciclib"],
    dose_range_um=[0.001, 10],
    n_doses=8,
    batch_size=4,
    max_iterations=2,
    machine="replay",
    planner="random",
)


def test_a_record_tells_of_the_parent_and_of_what_was_rolled_back(tmp_path):
    with Lab.open(tmp_path / "lab.db") as lab:
        lab.run(CONFIG)
        fork = lab.fork("tiny", at=1, max_iterations=3, dose_range_um=[0.01, 1.0])
        lab.resume(fork.campaign_id)
        fork.rollback(2, "<b>contaminated</b>", by="ada")
        folder = write_record(lab, fork.campaign_id, tmp_path / "records")
        back = read_record(folder)
        assert back.summary == fork.summary()
    assert (back.run.parent, back.run.inherited_until) == ("tiny at iteration 1", 1)
    assert back.history.iterations == (1, 2)
    page = (folder / "record.html").read_text(encoding="utf-8")
    assert "tiny at iteration 1" in page
    assert "iteration 3 superseded" in page
    assert "by ada: &lt;b&gt;contaminated&lt;/b&gt;" in page

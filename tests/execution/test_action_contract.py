"""Every action that comes with the package holds what is asked of those that plug-ins bring."""

from __future__ import annotations

from cellos_nb import CampaignConfig
from cellos_nb.execution.actions import kinds
from cellos_nb.testing import ActionContract

TINY = CampaignConfig(
    name="tiny", cell_lines=["SK-LMS-1"], compounds=["Trametinib"], dose_range_um=[0.001, 10], n_doses=8, batch_size=2,
    max_iterations=1, plate_format=24, controls={"vehicle": 2}, machine="replay", planner="random", seed=3,
)  # fmt: skip


class TestNotify(ActionContract):
    kind, payload = "notify", {"title": "plate 7 is held", "level": "warning"}
    refused = ({}, {"title": "two\nlines"}, {"title": "x", "level": "loud"}, {"title": "x", "to": "Ada"})


class TestPostMessage(ActionContract):
    kind, payload = "post_message", {"channel": "lab", "title": "the screen is done"}
    refused = ({"title": "no channel"}, {"channel": "https://example.org/x", "title": "an address"})


class TestCampaignIteration(ActionContract):
    kind, payload, refused = "campaign_iteration", {"campaign_id": "tiny"}, ({}, {"campaign_id": 5})

    def prepare(self, lab):
        lab.store.add_campaign(TINY)


class TestRecord(ActionContract):
    kind, payload, refused = "record", {"campaign_id": "tiny"}, ({}, {"campaign_id": "tiny", "as": "pdf"})

    def prepare(self, lab):
        lab.run(TINY)


def test_no_action_that_comes_with_the_package_is_left_out():
    ours = {"campaign_iteration", "notify", "post_message", "record"}
    tested = {case.kind for case in ActionContract.__subclasses__() if case.__module__ == __name__}
    assert tested == ours <= set(kinds())

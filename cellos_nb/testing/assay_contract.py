"""What every protocol that a plug-in brings promises: it is compiled as it is written, and can be concluded."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar

import pytest

from cellos_nb.checks import check_config
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.settings import AssaySettings
from cellos_nb.domain.step import Step, StepKind
from cellos_nb.lab import Lab
from cellos_nb.workflow.assays import ENTRY_POINTS, protocols

_PUT_IN = frozenset({StepKind.DILUTE, StepKind.TRANSPORT})
"""Steps that the compiler puts between those of a protocol, where pipettes or places need them."""


class AssayContract:
    """Inherit it, and name the protocol.

    class TestMine(AssayContract):
        protocol = "early_death"
    """

    protocol: ClassVar[str]
    """The name of its entry point, which is how a campaign names it."""
    cell_line: ClassVar[str] = "U2OS"
    """One that the simulated biology knows."""
    compound: ClassVar[str] = "staurosporine"
    """One that the simulated biology knows."""

    @pytest.fixture
    def brought(self) -> AssaySettings:
        """What the entry point names."""
        (entry,) = entry_points(group=ENTRY_POINTS, name=self.protocol)
        loaded: AssaySettings = entry.load()
        return loaded

    @pytest.fixture
    def config(self, brought: AssaySettings) -> CampaignConfig:
        """A small campaign on the simulated biology that names it."""
        return CampaignConfig(
            name="contract",
            cell_lines=[self.cell_line],
            compounds=[self.compound],
            dose_range_um=[0.01, 10],
            n_doses=4,
            batch_size=4,
            max_iterations=1,
            assay={"name": brought.name, "protocol": self.protocol},
            machine="biology",
            planner="space_filling",
            seed=1,
        )

    @pytest.fixture
    def steps(self, config: CampaignConfig, tmp_path: Path) -> Iterator[tuple[Step, ...]]:
        """The first plate, as it was carried out."""
        with Lab.open(tmp_path / "lab.db") as lab:
            yield lab.run(config).workflows()[0].steps

    def test_it_is_a_protocol_that_is_found_by_its_name(self, brought: AssaySettings) -> None:
        assert self.protocol in protocols()
        assert isinstance(brought, AssaySettings)
        assert brought.steps
        assert brought.protocol

    def test_a_campaign_that_names_it_can_be_carried_out(self, config: CampaignConfig) -> None:
        assert check_config(config).hours_per_iteration > 0

    def test_a_campaign_keeps_it_through_its_file(self, config: CampaignConfig, tmp_path: Path) -> None:
        (tmp_path / "campaign.yaml").write_text(config.to_yaml(), encoding="utf-8")
        again = CampaignConfig.from_yaml(tmp_path / "campaign.yaml")
        assert again.assay == config.assay

    def test_it_is_compiled_step_by_step_as_it_is_written(
        self, brought: AssaySettings, steps: tuple[Step, ...]
    ) -> None:
        own = [step for step in steps if step.kind not in _PUT_IN]
        assert [step.kind.value for step in own] == [asked.kind for asked in brought.steps]
        incubated = [step.duration_h for step in own if step.kind is StepKind.INCUBATE]
        assert incubated == [asked.duration_h for asked in brought.steps if asked.kind == "incubate"]

    def test_the_simulated_biology_answers_every_condition(self, config: CampaignConfig, tmp_path: Path) -> None:
        with Lab.open(tmp_path / "lab.db") as lab:
            results = lab.run(config).results.results
        assert len(results) == config.batch_size
        assert all(result.measurement is not None for result in results), [result.status for result in results]

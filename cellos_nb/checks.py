"""What a campaign needs, and what position and chance would do to its plates, before a database or a device exists."""

from __future__ import annotations

from cellos_nb.analysis.rehearsal import LayoutRehearsal, NuisanceEffects, rehearse_layout
from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.execution.preflight import Preflight, check_campaign
from cellos_nb.hardware.interface import HardwareInterface
from cellos_nb.loop import first_plates
from cellos_nb.machine_room import describe
from cellos_nb.planner.registry import make_planner


def check_config(config: CampaignConfig, machine: HardwareInterface | None = None) -> Preflight:
    """What a campaign will need, on its own machine or another, without a database and without touching a device.

    Raises:
        InputError: the campaign cannot be run; the message has the key, the value and what is possible.
    """
    make_planner(config.planner)
    return check_campaign(config, describe(config.machine, config.seed, machine))


def rehearse_config(
    config: CampaignConfig, effects: NuisanceEffects | None = None, machine: HardwareInterface | None = None
) -> LayoutRehearsal:
    """What position and chance would do to a campaign's first plates, without a database and without a device.

    Raises:
        InputError: the campaign cannot be run; the message has the key, the value and what is possible.
    """
    check_config(config, machine)
    _, plates = first_plates("rehearsal", config, describe(config.machine, config.seed, machine))
    return rehearse_layout([plate.layout for plate in plates], effects)

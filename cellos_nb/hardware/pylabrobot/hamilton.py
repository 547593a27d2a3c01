"""A Hamilton STAR: its deck from the machine file, and the commands of a transfer list, one channel after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cellos_nb.domain.plate import well_names
from cellos_nb.domain.step import Labware, Step, TipPolicy, Transfer
from cellos_nb.errors import ConfigError, MachineRefusedError
from cellos_nb.hardware.pylabrobot.commands import Command
from cellos_nb.hardware.pylabrobot.labware import chosen, make, n_wells_of, need_pylabrobot, trough_for
from cellos_nb.hardware.pylabrobot.settings import LiquidHandlerSettings
from cellos_nb.units import format_volume

Volumes = Mapping[tuple[str, str], float]
"""µL by labware and well."""
_CHANNEL = [0]
_MIX_SHARE = 0.5
"""Of what the well holds."""
_N_MIXES = 3
_MIX_UL_PER_S = 50.0


class Hamilton:
    """The deck for one step: tip racks full, labware in its places, volumes as the account knows them."""

    def __init__(self, settings: LiquidHandlerSettings, step: Step, volumes: Volumes, *, is_rehearsal: bool) -> None:
        """A deck that nothing moves on yet.

        Args:
            settings: of the robot.
            step: one that moves liquid.
            volumes: what stands in the wells when the step begins, its fills among them.
            is_rehearsal: on PyLabRobot's stand-in, whatever the model.

        Raises:
            ConfigError: a carrier or labware is none of PyLabRobot's.
            MachineRefusedError: a labware of the step has no place, or not room enough in its wells.
        """
        need_pylabrobot()
        from pylabrobot.liquid_handling import LiquidHandler
        from pylabrobot.resources.hamilton import STARDeck, STARLetDeck

        self._step, self._settings = step, settings
        self.deck = STARLetDeck() if settings.deck == "STARLet" else STARDeck()
        self._labware: dict[str, Any] = {}
        self._racks: list[Any] = []
        self._troughs: set[str] = set()
        self._place(volumes)
        self._fill(volumes)
        self.handler = LiquidHandler(backend=_backend(settings, is_rehearsal=is_rehearsal), deck=self.deck)
        self.n_tips = 0

    def volumes(self, name: str) -> dict[str, float]:
        """What PyLabRobot's trackers say of each well of a labware, in µL."""
        items = self._labware[name].get_all_items()
        return {item.get_identifier(): float(item.tracker.get_used_volume()) for item in items}

    def commands(self) -> Iterator[Command]:
        """What the robot is told, from the first tip to the last."""
        transfers = self._step.transfers
        rack, before = None, None
        for transfer in transfers or ():
            wanted = self._rack_for(transfer.volume_ul)
            keeps = transfers is not None and before is not None and _keeps_tip(before, transfer, transfers.tip_policy)
            if before is not None and not (keeps and wanted is rack):
                yield self._discard()
            if before is None or not (keeps and wanted is rack):
                rack = wanted
                yield self._pick_up(rack)
            yield from self._transfer(transfer, is_mixed=transfers is not None and transfers.mix_after, rack=rack)
            before = transfer
        if before is not None:
            yield self._discard()

    def _transfer(self, transfer: Transfer, *, is_mixed: bool, rack: Any) -> Iterator[Command]:
        source = self._well(transfer.source_labware, transfer.source_well)
        target = self._well(transfer.destination_labware, transfer.destination_well)
        volume = transfer.volume_ul
        handler = self.handler
        yield Command(
            f"aspirate {format_volume(volume)} from {transfer.source_labware} {transfer.source_well}",
            lambda: handler.aspirate([source], [volume], use_channels=_CHANNEL),
        )
        mix = None
        if is_mixed:
            from pylabrobot.liquid_handling.standard import Mix

            held = float(target.tracker.get_used_volume()) + volume
            mix_ul = min(_MIX_SHARE * held, _capacity(rack))
            mix = [Mix(volume=mix_ul, repetitions=_N_MIXES, flow_rate=_MIX_UL_PER_S)]
        yield Command(
            f"dispense {format_volume(volume)} into {transfer.destination_labware} {transfer.destination_well}",
            lambda: handler.dispense([target], [volume], use_channels=_CHANNEL, mix=mix),
            is_transfer=True,
        )

    def _pick_up(self, rack: Any) -> Command:
        spot = next((spot for spot in rack.get_all_items() if spot.has_tip()), None)
        if spot is None:
            raise MachineRefusedError(
                f"Step {self._step.uid}: the rack {rack.name} has no tip left after {self.n_tips}. Add a rack to the "
                "carriers in the machine file, or split the plate."
            )
        self.n_tips += 1
        return Command(
            f"pick up a tip from {spot.name}", lambda: self.handler.pick_up_tips([spot], use_channels=_CHANNEL)
        )

    def _discard(self) -> Command:
        return Command("discard the tip", lambda: self.handler.discard_tips(use_channels=_CHANNEL))

    def _rack_for(self, volume_ul: float) -> Any:
        """The rack of the smallest tips that take a volume, one that has tips if there is."""
        fitting = [rack for rack in self._racks if _capacity(rack) >= volume_ul * (1 - 1e-9)]
        if not fitting:
            largest = max((_capacity(rack) for rack in self._racks), default=0.0)
            raise MachineRefusedError(
                f"Step {self._step.uid}: {format_volume(volume_ul)} is more than the largest tips on the deck take "
                f"({largest:g} µL). Add a rack of larger ones to the carriers."
            )
        fitting.sort(key=_capacity)
        same = [rack for rack in fitting if _capacity(rack) == _capacity(fitting[0])]
        return next((rack for rack in same if any(spot.has_tip() for spot in rack.get_all_items())), same[0])

    def _place(self, volumes: Volumes) -> None:
        wanted = {item.name: item for item in self._step.labware}
        for number, carrier in enumerate(self._settings.carriers):
            made = make(carrier.type, f"carrier {number + 1}")
            if len(carrier.holds) > len(made.sites):
                raise ConfigError(
                    f"liquid_handler.carriers.{number}.holds: a {carrier.type} has {len(made.sites)} sites, but "
                    f"{len(carrier.holds)} are named."
                )
            for site, name in enumerate(carrier.holds):
                if name is None:
                    continue
                if "tiprack" in name:
                    rack = make(name, f"{name} {number + 1}.{site + 1}")
                    made[site] = rack
                    self._racks.append(rack)
                elif name in wanted:
                    item = wanted.pop(name)
                    self._labware[name] = made[site] = make(self._definition(item, volumes), name)
            try:
                self.deck.assign_child_resource(made, rails=carrier.rails)
            except ValueError as error:
                raise ConfigError(
                    f"liquid_handler.carriers.{number}.rails: a {carrier.type} does not fit on rails {carrier.rails} "
                    f"({error}). Move it."
                ) from error
        if wanted:
            raise MachineRefusedError(
                f"Step {self._step.uid}: {', '.join(wanted)} has no place on the deck. Name it under `holds` of a "
                "carrier in the machine file."
            )

    def _fill(self, volumes: Volumes) -> None:
        for (name, well), volume_ul in volumes.items():
            held = self._well(name, well)
            if volume_ul > float(held.max_volume) * (1 + 1e-9):
                raise MachineRefusedError(
                    f"Step {self._step.uid}, {name} {well}: {format_volume(volume_ul)} does not fit into the "
                    f"{format_volume(float(held.max_volume))} of a well of this labware. Name larger labware, or a "
                    "trough, in the machine file."
                )
            held.tracker.set_volume(volume_ul)

    def _definition(self, item: Labware, volumes: Volumes) -> str:
        """What stands for a labware: one with as many wells, or a trough for tubes that hold more than those take."""
        named = self._settings.labware.get(item.name, ())
        held = {well: volume_ul for (name, well), volume_ul in volumes.items() if name == item.name and volume_ul > 0}
        fullest_ul, order = max(held.values(), default=0.0), well_names(item.n_wells)
        exact = next((name for name in named if n_wells_of(name) == item.n_wells), None)
        if exact is None or fullest_ul > float(make(exact, item.name).get_item(0).max_volume) * (1 + 1e-9):
            n_used = 1 + max((order.index(well) for well in held), default=0)
            trough = trough_for(named, n_used, fullest_ul) if item.name != "plate" else None
            if trough is not None:
                self._troughs.add(item.name)
                return trough
        return chosen(named, item.n_wells, f"Step {self._step.uid}, {item.name}")

    def _well(self, labware: str, well: str) -> Any:
        """A well by its name in the workflow; tubes become the wells of a trough in order."""
        held = self._labware[labware]
        if labware in self._troughs:
            return held.get_item(well_names(self._step.labware_named(labware).n_wells).index(well))
        return held.get_item(well)


def _keeps_tip(before: Transfer, after: Transfer, policy: TipPolicy) -> bool:
    source = (before.source_labware, before.source_well) == (after.source_labware, after.source_well)
    target = (before.destination_labware, before.destination_well) == (
        after.destination_labware,
        after.destination_well,
    )
    return source and (policy is TipPolicy.PER_SOURCE or target)


def _capacity(rack: Any) -> float:
    return float(rack.get_item(0).make_tip().maximal_volume)


def _backend(settings: LiquidHandlerSettings, *, is_rehearsal: bool) -> Any:
    if is_rehearsal or settings.model == "chatterbox":
        from pylabrobot.liquid_handling.backends.hamilton.STAR_chatterbox import STARChatterboxBackend

        return STARChatterboxBackend()
    from pylabrobot.liquid_handling.backends.hamilton.STAR_backend import STARBackend

    return STARBackend()

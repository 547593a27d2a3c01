"""The vials of a bank as stock: a lot of cells, with its passage number."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from cellos_nb.domain.stock import Lot, Resource, ResourceKind
from cellos_nb.errors import InventoryError
from cellos_nb.operations.banks.config import BankConfig
from cellos_nb.operations.banks.parameters import load_bank_prices
from cellos_nb.operations.banks.simulate import rehearse
from cellos_nb.operations.inventory import Inventory

_MILLION = Decimal(1_000_000)


def receive_vials(
    inventory: Inventory,
    config: BankConfig,
    bank: str,
    *,
    vials: int,
    passage: int,
    lot_number: str,
    usd_per_vial: float | None = None,
    max_passage: int | None = None,
    expires: date | None = None,
    location: str = "",
    barcode: str | None = None,
    by: str | None = None,
) -> Lot:
    """Books the vials of a released bank into the stock, as a lot of cells that campaigns on this line can use.

    The first lot declares the resource; its pack is one vial.

    Args:
        inventory: of the lab.
        config: the bank's file.
        bank: `master` or `working`.
        vials: how many were released; a person counted them.
        passage: on their labels.
        lot_number: likewise.
        usd_per_vial: what one is worth; what making it costs on average when left out.
        max_passage: cells of a higher passage are not to be used; for the first lot alone.
        expires: the last day on which they may be used.
        location: where they lie.
        barcode: of the box.
        by: who books.

    Raises:
        InventoryError: no such bank in the file, no vials, or a lot that cannot be booked.
        ConfigError: as `simulate`, when what a vial costs has to be found out.
    """
    stage = dict(config.stages).get(bank)
    if stage is None:
        possible = ", ".join(name for name, _ in config.stages)
        raise InventoryError(f"{config.name}: there is no {bank} bank in this file; possible: {possible}.")
    if vials < 1:
        raise InventoryError(f"{config.name}: {vials} vials cannot be received. Give what was released.")
    if passage < 0:
        raise InventoryError(f"{config.name}: passage {passage} cannot be. Give what stands on the vials.")
    per_vial = Decimal(str(stage.cells_per_vial)) / _MILLION
    name = resource_name(config, bank)
    if not any(known.name == name for known in inventory.resources()):
        price, source, as_of = _price(config, bank, usd_per_vial)
        inventory.declare(
            Resource(
                name=name,
                kind=ResourceKind.CELLS,
                unit="Mcells",
                pack_size=per_vial,
                pack_price_usd=price,
                price_as_of=as_of,
                price_source=source,
                used_as=config.cell_line,
                max_passage=max_passage,
            ),
            by=by,
        )
    return inventory.receive(
        name,
        per_vial * vials,
        lot_number=lot_number,
        expires=expires,
        location=location,
        barcode=barcode,
        passage=passage,
        price_usd=None if usd_per_vial is None else Decimal(str(usd_per_vial)) * vials,
        by=by,
    )


def resource_name(config: BankConfig, bank: str) -> str:
    """What the vials of a bank are called in the stock."""
    return f"{config.name} {bank} bank"


def _price(config: BankConfig, bank: str, usd_per_vial: float | None) -> tuple[Decimal, str, date]:
    """What a vial is worth, where that is from, and of when."""
    prices = load_bank_prices(config.prices)
    if usd_per_vial is not None:
        return Decimal(str(usd_per_vial)), "as received", prices.as_of
    stage = next(stage for stage in rehearse(config).stages if stage.name == bank)
    price = round(Decimal(float(stage.cost_usd[0]) / max(float(stage.vials[0]), 1.0)), 2)
    return price, "average cost of making it, simulated", prices.as_of

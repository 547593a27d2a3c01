"""The stock: what a lab keeps, what it is worth, what runs low, and who used it."""

from cellos_nb.operations.inventory.goods import Inventory

__all__ = ["Inventory"]

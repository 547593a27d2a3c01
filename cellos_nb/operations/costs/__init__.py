"""Costs: what a campaign was expected to cost and did, and what that is for each well, condition and answer."""

from cellos_nb.operations.costs.account import Account, PlateCost, PriceSource, account_of
from cellos_nb.operations.costs.shares import Shares, shares_of

__all__ = ["Account", "PlateCost", "PriceSource", "Shares", "account_of", "shares_of"]

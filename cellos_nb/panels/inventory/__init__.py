"""The stock as a panel: what there is, what to order, and what people do to it."""

"""A workcell: machines that stand apart, and whoever carries plates between them."""

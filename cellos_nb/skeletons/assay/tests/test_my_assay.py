"""The protocol holds what every protocol promises; add tests of what is special about yours."""

from __future__ import annotations

from cellos_nb.testing import AssayContract


class TestMyAssay(AssayContract):
    """Each test of the contract, on this protocol."""

    protocol = "my_assay"

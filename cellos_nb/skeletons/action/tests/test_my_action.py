"""The action holds what every action promises; add tests of what is special about yours."""

from __future__ import annotations

from cellos_nb import Lab
from cellos_nb.execution.actions import Bench, perform_now
from cellos_nb.testing import ActionContract


class TestMyAction(ActionContract):
    """Each test of the contract, on this action."""

    kind = "my_action"
    payload = {"name": "plate-7", "text": "U2OS, staurosporine"}
    refused = ({}, {"name": "plate-7"}, {"name": "../plate", "text": "x"}, {"name": "a", "text": "b", "to": "c"})

    def test_in_real_it_writes_the_file(self, lab: Lab) -> None:
        said = perform_now(self.kind, dict(self.payload), Bench(lab.store, lab, is_real=True))
        written = lab.store.folder / "plate-7.txt"
        assert written.read_text(encoding="utf-8") == "U2OS, staurosporine"
        assert str(written) in said

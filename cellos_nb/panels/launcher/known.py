"""The cell lines and compounds that the machine in the form knows."""

from __future__ import annotations

from pydantic import ValidationError

from cellos_nb.domain.campaign import CampaignConfig
from cellos_nb.domain.settings import MachineSettings
from cellos_nb.errors import CellosError, InputError
from cellos_nb.lab import Lab
from cellos_nb.panels.launcher.draft import Draft

Names = tuple[tuple[str, ...], tuple[str, ...]]
"""Cell lines and compounds; empty where any will do."""


class KnownNames:
    """Asks each machine once."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._asked: dict[MachineSettings, Names] = {}

    def known_to(self, draft: Draft) -> Names:
        """What the machine that a form names knows; nothing where there is no such machine, as the check will say."""
        try:
            machine = MachineSettings(**draft.to_dict("machine")["machine"])
        except (ValidationError, InputError):
            return (), ()
        if machine not in self._asked:
            self._asked[machine] = self._ask(machine)
        return self._asked[machine]

    def _ask(self, machine: MachineSettings) -> Names:
        question = {"name": "names", "cell_lines": ["any"], "compounds": ["any"], "dose_range_um": (1, 1)}
        asked = CampaignConfig(**question, n_doses=1, batch_size=1, machine=machine)
        try:
            says = self._lab.describe_machine(asked)
        except CellosError:
            # A kind that is being typed is none yet; the check of the whole form reports what stays wrong.
            return (), ()
        return says.cell_lines or (), says.compounds or ()

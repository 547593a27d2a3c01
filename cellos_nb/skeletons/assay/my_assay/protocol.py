"""The protocol: what is done to a plate, step by step."""

from __future__ import annotations

from cellos_nb.domain.settings import AssaySettings

MY_ASSAY = AssaySettings.model_validate(
    {
        "name": "viability",  # what is read, and so how it is concluded: viability, reporter or imaging
        "protocol": "my assay",
        "steps": [
            {"kind": "seed"},
            {"kind": "incubate", "duration_h": 16, "name": "attach overnight"},
            {"kind": "dose"},
            {"kind": "incubate", "duration_h": 24, "name": "treat"},
            {"kind": "read"},
        ],
        "cells_per_well": 7500,  # in a 96-well plate; other formats are scaled by their growth area
    }
)
"""Viability one day after dosing. Replace it by your own protocol.

`treatment_h` in a campaign replaces the duration of the step called `treat`.
"""
